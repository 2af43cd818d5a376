"""Do inputs, shared inputs and dimensions that were moved get the right gradient?"""

import pytest
from torch import nn

from conformance.cases import training_cases
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.workloads.supervised import SupervisedTask, loss

each_float_case = pytest.mark.parametrize("case", [case for case in training_cases.PURE if case.sample], ids=str)


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
