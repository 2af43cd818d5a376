"""Does each transform of torch.func around vmap, and forward mode, give what it gives each member alone?"""

import pytest
import torch
from torch.autograd import forward_ad

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.workloads.derivatives import as_function, make_tangents
from conformance.workloads.supervised import SupervisedTask, member_gradients

each_pure_case = pytest.mark.parametrize("case", training_cases.PURE, ids=str)


# Each for the outputs of one module, or of all members at once, whose losses are added up.
AROUND = {
    "grad": lambda func, at, target: torch.func.grad(
        lambda at: (func(at) - target).square().flatten(-2).mean(-1).sum()
    )(at),
    "vjp": lambda func, at, target: torch.func.vjp(func, at)[1](target)[0],
    "jvp": lambda func, at, _: torch.func.jvp(func, (at,), (make_tangents(at),)),
}


@pytest.mark.requirement("gradients.grad_of_vmap")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize("transform", AROUND)
def test_a_transform_of_vmap_is_vmap_of_the_transform(implementation, device, case, data, transform):
    lesson = SupervisedTask(case, data, device)

    def of_one(model, given):
        at = {name: parameter.detach() for name, parameter in model.named_parameters()}
        return AROUND[transform](lambda at: as_function(model)(at, given["x"]), at, given["target"])

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
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
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
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
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
        out = as_function(model)(as_duals(dict(model.named_parameters())), given["x"])
        value, tangent = forward_ad.unpack_dual(out)
    return {"value": value, "tangent": tangent}
