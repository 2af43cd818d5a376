"""Does each member get the gradient that it gets alone?"""

import math

import pytest
import torch
from torch import nn

from conformance.cases import training_cases
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.utils.module_state import gradients_in
from conformance.utils.pytree import tree_map
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients, loss, member_gradients

own_and_shared = pytest.mark.parametrize("data", [0, None], ids=["own", "shared"])
each_case = pytest.mark.parametrize("case", training_cases.ALL, ids=str)
each_float_case = pytest.mark.parametrize("case", [case for case in training_cases.PURE if case.sample], ids=str)
# In float32 only what is smooth: elsewhere a rounding may carry an activation over a kink, and the gradient jumps.
each_case_and_dtype = pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *((case, "float64") for case in training_cases.ALL),
        *((case, "float32") for case in training_cases.ALL if case.smooth),
    ],
    ids=str,
    indirect=["dtype"],
)


def assert_backward_is_the_loops(implementation, case, data, device, dtype, **options):
    lesson = SupervisedTask(case, data, device, dtype)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble, **options).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("gradients.own_minibatch")
@each_case_and_dtype
def test_each_member_gets_the_gradient_of_its_own_minibatch(implementation, device, case, dtype):
    assert_backward_is_the_loops(implementation, case, 0, device, dtype)


@pytest.mark.requirement("gradients.shared_minibatch")
@each_case_and_dtype
def test_each_member_gets_its_gradient_of_the_shared_minibatch(implementation, device, case, dtype):
    assert_backward_is_the_loops(implementation, case, None, device, dtype)


@pytest.mark.requirement("gradients.any_size")
@own_and_shared
@pytest.mark.parametrize("n", [1, 2, 23])
def test_any_number_of_members_get_their_gradients(implementation, device, data, n):
    lesson = SupervisedTask(training_cases.LAYER_NORM, data, device, n=n)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("gradients.chunked")
@own_and_shared
@pytest.mark.parametrize("chunk_size", [1, 2, MEMBERS])
def test_chunks_change_no_gradient(implementation, device, data, chunk_size):
    assert_backward_is_the_loops(
        implementation, training_cases.LAYER_NORM, data, device, torch.float64, chunk_size=chunk_size
    )


@pytest.mark.requirement("gradients.dims")
@pytest.mark.parametrize(("in_dim", "out_dim"), [(1, 0), (2, 0), (-1, 0), (0, 1), (1, -1)])
def test_gradients_come_back_along_the_dimension_that_was_mapped(implementation, device, in_dim, out_dim):
    lesson = SupervisedTask(training_cases.LAYER_NORM, 0, device)
    expected = lesson.loop(gradients_of_input_and_weight)
    ensemble = Ensemble(implementation, lesson.models)
    weight = ensemble.params["fc1.weight"].detach().movedim(0, in_dim).contiguous().requires_grad_()
    x = lesson.x.movedim(0, in_dim).contiguous().requires_grad_()

    def member(weight, params, buffers, x):
        return ensemble.member({**params, "fc1.weight": weight}, buffers, x)

    mapped = ensemble.vmap(member, in_dims=(in_dim, 0, 0, in_dim), out_dims=out_dim)
    out = mapped(weight, ensemble.params, ensemble.buffers, x).movedim(out_dim, 0)
    (out - lesson.target).square().flatten(1).mean(1).sum().backward()

    actual = {"input": x.grad.movedim(in_dim, 0), "fc1.weight": weight.grad.movedim(in_dim, 0)}
    assert_distinct(*actual["input"])
    assert_members_close(actual, expected, "gradient")


def gradients_of_input_and_weight(model, given):
    x = given["x"].requires_grad_()
    loss(model(x), given["target"]).backward()
    return {"input": x.grad, "fc1.weight": model.fc1.weight.grad}


@pytest.mark.requirement("gradients.own_input")
@each_float_case
def test_each_minibatch_gets_the_gradient_of_its_own_member(implementation, device, case):
    lesson = SupervisedTask(case, 0, device)
    expected = lesson.loop(gradient_of_input)
    ensemble = Ensemble(implementation, lesson.models)
    lesson.x.requires_grad_()

    lesson.losses(ensemble).sum().backward()

    assert_distinct(*lesson.x.grad)
    assert_members_close(lesson.x.grad, expected, "gradient of the input")


def gradient_of_input(model, given):
    x = given["x"].requires_grad_()
    loss(model(x), given["target"]).backward()
    return x.grad


@pytest.mark.requirement("gradients.shared_input")
@each_float_case
def test_a_shared_minibatch_gets_the_sum_over_the_members(implementation, device, case):
    lesson = SupervisedTask(case, None, device)
    given = {"x": lesson.x, "target": lesson.target}
    expected = loop(gradient_of_input_of_all, [nn.ModuleList(lesson.models)], [given])
    ensemble = Ensemble(implementation, lesson.models)
    lesson.x.requires_grad_()

    lesson.losses(ensemble).sum().backward()

    assert lesson.x.grad.any()
    assert_members_close(lesson.x.grad[None], expected, "gradient of the shared input")


def gradient_of_input_of_all(models, given):
    x = given["x"].requires_grad_()
    sum(loss(model(x), given["target"]) for model in models).backward()
    return x.grad


@pytest.mark.requirement("gradients.isolation")
@each_case
@own_and_shared
def test_the_loss_of_one_member_is_nothing_to_the_others(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)
    losses = lesson.losses(ensemble)
    found = {name: torch.zeros_like(tensor) for name, tensor in ensemble.trainable.items()}

    for i in range(MEMBERS):
        ones = torch.autograd.grad(losses[i], list(ensemble.trainable.values()), retain_graph=True)
        for name, gradient in zip(ensemble.trainable, ones, strict=True):
            others = gradient.index_select(0, torch.tensor([j for j in range(MEMBERS) if j != i], device=device))
            assert not others.any(), f"member {i}'s loss gives another member a gradient for {name}"
            found[name][i] = gradient[i]

    assert_members_close(found, expected, "gradient")


@pytest.mark.requirement("gradients.isolation")
@pytest.mark.parametrize("value", [3.0, math.nan, math.inf], ids=["finite", "nan", "inf"])
@pytest.mark.parametrize("where", ["state", "minibatch"])
def test_what_one_member_holds_is_in_no_other_gradient(implementation, device, where, value):
    lesson = SupervisedTask(training_cases.SIMPLE_CNN, 0, device)
    before = Ensemble(implementation, lesson.models)
    lesson.losses(before).sum().backward()

    with torch.no_grad():
        lesson.models[2].conv1.weight.fill_(value) if where == "state" else lesson.x[2].fill_(value)
    after = Ensemble(implementation, lesson.models)
    lesson.losses(after).sum().backward()

    first, second = ensemble_gradients(before), ensemble_gradients(after)
    assert_distinct(first["fc2.weight"][2], second["fc2.weight"][2])
    for name, gradient in second.items():
        for i in (0, 1, 3, 4):
            assert_same(gradient[i], first[name][i], f"gradient of member {i}: {name}")


WEIGHTS = (2.0, -0.5, 0.0, 3.0, 7.0)


@pytest.mark.requirement("gradients.weights")
@each_case
@own_and_shared
def test_the_weight_of_a_loss_scales_its_members_gradient(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, device=device)
    given = [{**each, "weight": weight} for each, weight in zip(lesson.member_data, weights, strict=True)]
    expected = loop(weighted_gradients, lesson.models, given)
    ensemble = Ensemble(implementation, lesson.models)

    (lesson.losses(ensemble) * weights).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


def weighted_gradients(model, given):
    (loss(model(given["x"]), given["target"]) * given["weight"]).backward()
    return gradients_in(model)


@pytest.mark.requirement("gradients.sum_and_mean")
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@each_case
@own_and_shared
def test_the_mean_over_members_gives_each_an_nth_of_its_gradient(implementation, device, case, data, reduction):
    lesson = SupervisedTask(case, data, device)
    share = 1 if reduction == "sum" else MEMBERS
    expected = lesson.loop(
        lambda model, given: tree_map(lambda gradient: gradient / share, member_gradients(model, given))
    )
    ensemble = Ensemble(implementation, lesson.models)

    getattr(lesson.losses(ensemble), reduction)().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("gradients.accumulation")
@each_case
@own_and_shared
def test_a_second_backward_adds_to_the_first(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(gradients_of_two_minibatches)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()
    lesson.x = second_minibatch(lesson.x)
    lesson.losses(ensemble).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


def second_minibatch(x):
    """Other features, or in place of single features other samples."""
    return x.roll(1, -1)


def gradients_of_two_minibatches(model, given):
    member_gradients(model, given)
    return member_gradients(model, given | {"x": second_minibatch(given["x"])})


@pytest.mark.requirement("gradients.zero_grad")
@each_case
@own_and_shared
@pytest.mark.parametrize("set_to_none", [True, False], ids=["to-none", "to-zero"])
def test_after_zero_grad_only_the_next_backward_counts(implementation, device, case, data, set_to_none):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(lambda model, given: member_gradients(model, given | {"x": second_minibatch(given["x"])}))
    ensemble = Ensemble(implementation, lesson.models)
    optimizer = torch.optim.SGD(ensemble.trainable.values(), lr=1.0)

    lesson.losses(ensemble).sum().backward()
    optimizer.zero_grad(set_to_none=set_to_none)
    assert all(tensor.grad is None or not tensor.grad.any() for tensor in ensemble.params.values())
    lesson.x = second_minibatch(lesson.x)
    lesson.losses(ensemble).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("gradients.retain_graph")
@each_case
@own_and_shared
def test_a_retained_graph_gives_its_gradient_again(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)
    total = lesson.losses(ensemble).sum()

    total.backward(retain_graph=True)
    first = {name: gradient.clone() for name, gradient in ensemble_gradients(ensemble).items()}
    total.backward()
    second = {name: gradient - first[name] for name, gradient in ensemble_gradients(ensemble).items()}

    assert_members_close(first, expected, "first gradient")
    assert_members_close(second, expected, "second gradient")
    with refuses("second time"):
        total.backward()


@pytest.mark.requirement("gradients.originals")
@each_case
@own_and_shared
def test_no_gradient_reaches_the_original_modules(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    for model in lesson.models[1:]:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 3.0) if parameter.requires_grad else None

    with unchanged(*lesson.models):
        ensemble = Ensemble(implementation, lesson.models)
        lesson.losses(ensemble).sum().backward()

    assert ensemble_gradients(ensemble)


@pytest.mark.requirement("gradients.frozen")
@own_and_shared
def test_what_is_frozen_in_the_members_stays_without_gradient(implementation, device, data):
    lesson = SupervisedTask(training_cases.FROZEN, data, device)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()

    assert list(ensemble_gradients(ensemble)) == ["fc1.bias", "fc2.weight", "fc2.bias"]
    assert not ensemble.params["fc1.weight"].requires_grad
    assert ensemble.params["fc1.weight"].grad is None


@pytest.mark.requirement("gradients.buffers")
@pytest.mark.parametrize("case", [training_cases.BATCH_NORM_TRAIN, training_cases.BATCH_NORM_EVAL], ids=str)
@own_and_shared
def test_buffers_get_no_gradient(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()

    assert ensemble.buffers
    for name, buffer in ensemble.buffers.items():
        assert not buffer.requires_grad, f"{name} requires a gradient"
        assert buffer.grad is None, f"{name} has a gradient"


@pytest.mark.requirement("gradients.double_backward")
@each_case
@own_and_shared
def test_a_penalty_on_the_gradient_has_a_gradient(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(gradients_of_penalty)
    ensemble = Ensemble(implementation, lesson.models)

    first = torch.autograd.grad(lesson.losses(ensemble).sum(), list(ensemble.trainable.values()), create_graph=True)
    sum(gradient.square().sum() for gradient in first).backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient of the penalty")


def gradients_of_penalty(model, given):
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    first = torch.autograd.grad(loss(model(given["x"]), given["target"]), list(named.values()), create_graph=True)
    sum(gradient.square().sum() for gradient in first).backward()
    return gradients_in(model)


@pytest.mark.requirement("gradients.double_backward")
@pytest.mark.parametrize("case", [training_cases.LAYER_NORM, training_cases.FROZEN], ids=str)
def test_a_penalty_on_the_gradient_of_the_input_has_a_gradient(implementation, device, case):
    lesson = SupervisedTask(case, 0, device)
    expected = lesson.loop(gradients_of_input_penalty)
    ensemble = Ensemble(implementation, lesson.models)
    x = lesson.x.requires_grad_()

    slopes = torch.autograd.grad(ensemble(x).square().sum(), x, create_graph=True)[0]
    (slopes.flatten(2).norm(dim=2) - 1).square().sum().backward()

    actual = {name: tensor.grad for name, tensor in ensemble.trainable.items() if tensor.grad is not None}
    assert_members_close(actual, expected, "gradient of the penalty")


def gradients_of_input_penalty(model, given):
    x = given["x"].requires_grad_()
    slopes = torch.autograd.grad(model(x).square().sum(), x, create_graph=True)[0]
    (slopes.flatten(1).norm(dim=1) - 1).square().sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
