"""Is a second backward pass right: accumulated, after zero_grad, through a retained graph, or of a gradient?"""

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close, refuses
from conformance.utils.module_state import gradients_in
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients, loss, member_gradients

each_case = pytest.mark.parametrize("case", training_cases.ALL, ids=str)


@pytest.mark.requirement("gradients.accumulation")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_second_backward_adds_to_the_first(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(gradients_of_two_minibatches)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()
    lesson.x = second_minibatch(lesson.x)
    lesson.losses(ensemble).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


def second_minibatch(x):
    """Return other features, or other samples where each sample is a single feature."""
    return x.roll(1, -1)


def gradients_of_two_minibatches(model, given):
    member_gradients(model, given)
    return member_gradients(model, given | {"x": second_minibatch(given["x"])})


@pytest.mark.requirement("gradients.zero_grad")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
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
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
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


@pytest.mark.requirement("gradients.double_backward")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
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
