"""Does each transform of torch.func inside vmap give what it gives each member alone?"""

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.utils.pytree import leaves, tree_map
from conformance.workloads.derivatives import DERIVATIVES, as_function
from conformance.workloads.supervised import SupervisedTask, loss

each_pure_case = pytest.mark.parametrize("case", training_cases.PURE, ids=str)


def differentiable(call, params, x):
    """Return the function to differentiate and its arguments: the parameters, and an input of floats."""
    at = {name: parameter.detach() for name, parameter in params.items()}
    if not x.is_floating_point():
        return lambda at: call(at, x), at
    return lambda at: call({name: at[name] for name in params}, at["input"]), {**at, "input": x.detach()}


def of_module(derivative):
    """Return the derivative as a function of a module and its data, for the loop."""

    def of_one(model, given):
        return derivative(
            *differentiable(as_function(model), dict(model.named_parameters()), given["x"]), given["target"]
        )

    return of_one


@pytest.mark.requirement("gradients.plain_transforms")
@each_pure_case
@pytest.mark.parametrize("name", DERIVATIVES)
def test_the_transforms_of_a_plain_module_are_what_backward_gives(implementation, device, case, name):
    lesson = SupervisedTask(case, 0, device)
    models, given = lesson.models[:3], lesson.member_data[:3]
    expected = loop(of_module(DERIVATIVES[name].backward), models, given)

    each = [of_module(DERIVATIVES[name].func)(*pair) for pair in zip(models, given, strict=True)]

    assert_members_close(tree_map(lambda *leaf: torch.stack(leaf), *each), expected, "result")


def assert_each_member_has_its_own(name, implementation, device, case, data):
    """Assert that the derivative inside vmap gives each member what it gives the plain module."""
    derivative = DERIVATIVES[name].func
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(of_module(derivative))
    ensemble = Ensemble(implementation, lesson.models)

    def of_member(params, buffers, x, target):
        return derivative(*differentiable(lambda p, x: ensemble.member(p, buffers, x), params, x), target)

    actual = ensemble.map(of_member, lesson.x, lesson.target, data=data)

    assert_distinct(*max((leaf for _, leaf in leaves(actual, "")), key=torch.Tensor.numel))
    assert_members_close(actual, expected, "result")


@pytest.mark.requirement("gradients.grad")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_grad_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("grad", implementation, device, case, data)


@pytest.mark.requirement("gradients.grad_and_value")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_grad_and_value_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("grad_and_value", implementation, device, case, data)


@pytest.mark.requirement("gradients.vjp")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_vjp_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("vjp", implementation, device, case, data)


@pytest.mark.requirement("gradients.jvp")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_jvp_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("jvp", implementation, device, case, data)


@pytest.mark.requirement("gradients.jacrev")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_jacrev_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("jacrev", implementation, device, case, data)


@pytest.mark.requirement("gradients.jacfwd")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_jacfwd_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("jacfwd", implementation, device, case, data)


@pytest.mark.requirement("gradients.hessian")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_hessian_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("hessian", implementation, device, case, data)


@pytest.mark.requirement("gradients.forward_over_reverse")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_jvp_of_grad_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("forward_over_reverse", implementation, device, case, data)


@pytest.mark.requirement("gradients.reverse_over_forward")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_grad_of_jvp_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("reverse_over_forward", implementation, device, case, data)


@pytest.mark.requirement("gradients.per_sample")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_per_sample_gradients(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(gradients_sample_by_sample)
    ensemble = Ensemble(implementation, lesson.models)

    def loss_of_sample(params, buffers, x, target):
        return loss(ensemble.member(params, buffers, x[None]), target[None])

    per_sample = ensemble.vmap(torch.func.grad(loss_of_sample), in_dims=(None, None, 0, 0))
    found = ensemble.map(per_sample, lesson.x, lesson.target, data=data)

    found = {name: found[name] for name in ensemble.trainable}
    assert_distinct(*next(iter(found.values()))[0])
    assert_members_close(found, expected, "gradient")


def gradients_sample_by_sample(model, given):
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    rows = [
        torch.autograd.grad(loss(model(x[None]), target[None]), list(named.values()))
        for x, target in zip(given["x"], given["target"], strict=True)
    ]
    return dict(zip(named, map(torch.stack, zip(*rows, strict=True)), strict=True))
