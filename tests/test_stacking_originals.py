"""Are the original members independent of the stacked state?"""

import pytest
import torch

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import Assorted
from conformance.implementations.ensemble import name_tensors
from conformance.numerics.assertions import assert_same, unchanged
from conformance.reference.simple_cnn import small_cnn
from conformance.utils.module_state import state_of
from conformance.workloads.stacking import stacked_state

GRAD_MODES = pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.no_grad], ids=["grad", "no_grad"])


@pytest.mark.requirement("stacking.no_alias")
@pytest.mark.parametrize("n", [1, MEMBERS], ids=["one", "five"])
def test_a_write_to_a_slice_reaches_nothing_else(implementation, device, n):
    models = members(Assorted, n, device=device)
    params, buffers = stacked_state(implementation, models)
    stacked = params | buffers
    before = {name: tensor.detach().clone() for name, tensor in stacked.items()}

    with unchanged(*models), torch.no_grad():
        for tensor in stacked.values():
            tensor[0] = ~tensor[0] if tensor.dtype == torch.bool else tensor[0] + 1

    for name, tensor in stacked.items():
        assert_same(tensor[1:], before[name][1:], name)
        assert not tensor.numel() or not torch.equal(tensor[0], before[name][0])


@pytest.mark.requirement("stacking.no_alias")
@pytest.mark.parametrize("n", [1, MEMBERS], ids=["one", "five"])
def test_a_write_to_a_member_does_not_reach_the_stack(implementation, device, n):
    models = members(Assorted, n, device=device)
    params, buffers = stacked_state(implementation, models)
    before = {name: tensor.detach().clone() for name, tensor in (params | buffers).items()}

    with torch.no_grad():
        for tensor in state_of(models[0]).values():
            tensor.logical_not_() if tensor.dtype == torch.bool else tensor.add_(1)

    assert_same(params | buffers, before, "stacked")


@pytest.mark.requirement("stacking.originals_unchanged")
@GRAD_MODES
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_combining_changes_nothing_in_the_members(implementation, device, grad_mode, training):
    models = [model.train(training) for model in members(Assorted, MEMBERS, device=device)]
    models[1].blocks.requires_grad_(True)
    for model in models:
        model.scalar.grad = torch.ones_like(model.scalar)

    with unchanged(*models), grad_mode():
        implementation.combine(models)


@pytest.mark.requirement("stacking.originals_get_no_gradient")
def test_a_backward_pass_gives_the_stack_its_gradient_and_the_members_none(implementation, device):
    models = members(small_cnn, MEMBERS, device=device)
    fmodel, params, buffers = implementation.combine(models)
    for tensor in name_tensors(params, list(models[0].named_parameters())).values():
        tensor.requires_grad_()

    with unchanged(*models):
        out = implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, draw(SAMPLES, 1, 8, 8, device=device))
        out.square().sum().backward()

    assert all(parameter.grad is None for model in models for parameter in model.parameters())
    for name, tensor in name_tensors(params, list(models[0].named_parameters())).items():
        assert tensor.grad is not None, f"{name} has no gradient"
        assert all(tensor.grad[i].any() for i in range(MEMBERS)), f"{name}: a member has no gradient"
