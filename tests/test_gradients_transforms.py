"""Are torch.func's derivatives inside vmap, and around it, those of each member alone?"""

from functools import partial

import pytest
import torch
from torch.autograd import forward_ad

from conformance.cases import training_cases
from conformance.cases.members import MEMBERS, members
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.reference.functional_call import functional_call as reference_functional_call
from conformance.utils.pytree import leaves, tree_map
from conformance.workloads.derivatives import DERIVATIVES, make_tangents
from conformance.workloads.supervised import SupervisedTask, loss, member_gradients

own_and_shared = pytest.mark.parametrize("data", [0, None], ids=["own", "shared"])
each_pure_case = pytest.mark.parametrize("case", training_cases.PURE, ids=str)


def alone(model):
    """A module as a function of its parameters and its input."""
    return lambda params, x: reference_functional_call(model, params, x)


def differentiable(call, params, x):
    """What to differentiate and in what: a function of the parameters, and of the input where that is no integer."""
    at = {name: parameter.detach() for name, parameter in params.items()}
    if not x.is_floating_point():
        return lambda at: call(at, x), at
    return lambda at: call({name: at[name] for name in params}, at["input"]), {**at, "input": x.detach()}


def of_module(derivative):
    """The derivative of a module and what it is given, for the loop."""

    def of_one(model, given):
        return derivative(*differentiable(alone(model), dict(model.named_parameters()), given["x"]), given["target"])

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
    """The derivative inside vmap gives each member what it gives the plain module."""
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
@own_and_shared
def test_grad_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("grad", implementation, device, case, data)


@pytest.mark.requirement("gradients.grad_and_value")
@each_pure_case
@own_and_shared
def test_grad_and_value_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("grad_and_value", implementation, device, case, data)


@pytest.mark.requirement("gradients.vjp")
@each_pure_case
@own_and_shared
def test_vjp_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("vjp", implementation, device, case, data)


@pytest.mark.requirement("gradients.jvp")
@each_pure_case
@own_and_shared
def test_jvp_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("jvp", implementation, device, case, data)


@pytest.mark.requirement("gradients.jacrev")
@each_pure_case
@own_and_shared
def test_jacrev_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("jacrev", implementation, device, case, data)


@pytest.mark.requirement("gradients.jacfwd")
@each_pure_case
@own_and_shared
def test_jacfwd_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("jacfwd", implementation, device, case, data)


@pytest.mark.requirement("gradients.hessian")
@each_pure_case
@own_and_shared
def test_hessian_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("hessian", implementation, device, case, data)


@pytest.mark.requirement("gradients.forward_over_reverse")
@each_pure_case
@own_and_shared
def test_jvp_of_grad_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("forward_over_reverse", implementation, device, case, data)


@pytest.mark.requirement("gradients.reverse_over_forward")
@each_pure_case
@own_and_shared
def test_grad_of_jvp_inside_vmap(implementation, device, case, data):
    assert_each_member_has_its_own("reverse_over_forward", implementation, device, case, data)


@pytest.mark.requirement("gradients.per_sample")
@each_pure_case
@own_and_shared
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


# Of the outputs of one module, or of all members at once: then the losses are added up.
AROUND = {
    "grad": lambda func, at, target: torch.func.grad(
        lambda at: (func(at) - target).square().flatten(-2).mean(-1).sum()
    )(at),
    "vjp": lambda func, at, target: torch.func.vjp(func, at)[1](target)[0],
    "jvp": lambda func, at, _: torch.func.jvp(func, (at,), (make_tangents(at),)),
}


@pytest.mark.requirement("gradients.grad_of_vmap")
@each_pure_case
@own_and_shared
@pytest.mark.parametrize("transform", AROUND)
def test_a_transform_of_vmap_is_vmap_of_the_transform(implementation, device, case, data, transform):
    lesson = SupervisedTask(case, data, device)

    def of_one(model, given):
        at = {name: parameter.detach() for name, parameter in model.named_parameters()}
        return AROUND[transform](lambda at: alone(model)(at, given["x"]), at, given["target"])

    expected = lesson.loop(of_one)
    ensemble = Ensemble(implementation, lesson.models)
    at = ensemble.detached
    targets = lesson.target if data == 0 else lesson.target.expand(MEMBERS, *lesson.target.shape)

    def outputs(at):
        return ensemble.vmap(ensemble.member, in_dims=(0, 0, data))(at, ensemble.buffers, lesson.x)

    actual = AROUND[transform](outputs, at, targets)

    assert_members_close(actual, expected, "result")


@pytest.mark.requirement("gradients.grad_of_vmap")
@pytest.mark.parametrize("transform", ["jacrev", "jacfwd"])
@own_and_shared
def test_the_jacobian_of_vmap_is_zero_between_members(implementation, device, data, transform):
    lesson = SupervisedTask(training_cases.LAYER_NORM, data, device)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)

    def losses(params):
        ensemble.params = params
        return lesson.losses(ensemble)

    jacobian = getattr(torch.func, transform)(losses)(ensemble.detached)

    own = {name: torch.stack([block[i, i] for i in range(MEMBERS)]) for name, block in jacobian.items()}
    assert_members_close(own, expected, "gradient")
    for name, block in jacobian.items():
        for i in range(MEMBERS):
            others = torch.cat([block[i, :i], block[i, i + 1 :]])
            assert not others.any(), f"{name} of another member is in the loss of member {i}"


@pytest.mark.requirement("gradients.forward_mode")
@each_pure_case
@own_and_shared
def test_tangents_flow_through_the_ensemble(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(tangent_of_one)
    ensemble = Ensemble(implementation, lesson.models)

    with forward_ad.dual_level():
        ensemble.params = as_duals(ensemble.params)
        actual = forward_ad.unpack_dual(ensemble(lesson.x, data))

    assert actual.tangent is not None, "the output has no tangent"
    assert_distinct(*actual.tangent)
    assert_members_close({"value": actual.primal, "tangent": actual.tangent}, expected, "output")


def as_duals(params):
    return {name: forward_ad.make_dual(tensor.detach(), make_tangents(tensor)) for name, tensor in params.items()}


def tangent_of_one(model, given):
    with forward_ad.dual_level():
        out = alone(model)(as_duals(dict(model.named_parameters())), given["x"])
        value, tangent = forward_ad.unpack_dual(out)
    return {"value": value, "tangent": tangent}


# How torch itself compares a derivative with finite differences: backward, forward mode, and backward of backward.
CHECKS = {
    "backward": torch.autograd.gradcheck,
    "forward": partial(torch.autograd.gradcheck, check_forward_ad=True, check_backward_ad=False),
    "double": torch.autograd.gradgradcheck,
}


@pytest.mark.requirement("gradients.plain_loop")
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("case", training_cases.SMOOTH, ids=str)
def test_the_derivatives_of_a_plain_module_are_those_of_finite_differences(implementation, device, case, check):
    model = members(case.factory, 1, device=device, dtype=torch.float64)[0]
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    x = case.inputs(2, device=device)

    def outputs(*values):
        return reference_functional_call(model, dict(zip(named, values, strict=True)), x)

    assert CHECKS[check](outputs, tuple(named.values()))


@pytest.mark.requirement("gradients.finite_differences")
@pytest.mark.parametrize("check", CHECKS)
@own_and_shared
def test_the_derivatives_of_an_ensemble_are_those_of_finite_differences(implementation, device, data, check):
    ensemble = Ensemble(implementation, members(training_cases.TINY.factory, 2, device=device, dtype=torch.float64))
    x = training_cases.TINY.inputs(*([2] if data == 0 else []), 3, device=device).requires_grad_()

    def outputs(x, *values):
        mapped = ensemble.vmap(ensemble.member, in_dims=(0, 0, data))
        return mapped(dict(zip(ensemble.params, values, strict=True)), ensemble.buffers, x)

    inputs = (x, *ensemble.params.values())

    assert all(tensor.requires_grad for tensor in inputs)
    assert CHECKS[check](outputs, inputs)
