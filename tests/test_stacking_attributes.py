"""Which requires_grad, dtype and device does each stacked tensor have?"""

import pytest
import torch

from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import Assorted, NormNet
from conformance.numerics.assertions import (
    assert_slices,
)
from conformance.reference.simple_cnn import small_cnn
from conformance.utils.module_state import state_of
from conformance.workloads.stacking import stacked_state

GRAD_MODES = pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.no_grad], ids=["grad", "no_grad"])


@GRAD_MODES
@pytest.mark.requirement("stacking.trainable")
@pytest.mark.parametrize("n", [1, MEMBERS], ids=["one", "five"])
def test_stacked_parameters_are_leaves_that_require_grad(implementation, device, grad_mode, n):
    models = members(small_cnn, n, device=device)

    with grad_mode():
        params, _ = stacked_state(implementation, models)

    facts = {name: (tensor.requires_grad, tensor.is_leaf, tensor.grad) for name, tensor in params.items()}
    assert facts == {name: (True, True, None) for name, _ in models[0].named_parameters()}


@GRAD_MODES
@pytest.mark.requirement("stacking.detached")
def test_the_legacy_state_is_detached(implementation, device, grad_mode):
    models = members(NormNet, MEMBERS, device=device)

    with grad_mode():
        params, buffers = stacked_state(implementation, models)

    facts = {name: (tensor.requires_grad, tensor.is_leaf) for name, tensor in (params | buffers).items()}
    assert facts == dict.fromkeys(state_of(models[0]), (False, True))
    assert all(tensor.requires_grad_().requires_grad for tensor in params.values())


@GRAD_MODES
@pytest.mark.requirement("stacking.buffers")
def test_stacked_buffers_are_leaves_that_do_not_require_grad(implementation, device, grad_mode):
    models = members(Assorted, MEMBERS, device=device)

    with grad_mode():
        _, buffers = stacked_state(implementation, models)

    facts = {name: (tensor.requires_grad, tensor.is_leaf) for name, tensor in buffers.items()}
    assert facts == {name: (False, True) for name, _ in models[0].named_buffers()}


@GRAD_MODES
@pytest.mark.requirement("stacking.frozen")
@pytest.mark.parametrize("n", [1, MEMBERS], ids=["one", "five"])
def test_frozen_parameters_stay_frozen(implementation, device, grad_mode, n):
    models = members(small_cnn, n, device=device)
    for model in models:
        model.conv1.weight.requires_grad_(False)
        model.fc2.bias.requires_grad_(False)

    with grad_mode():
        params, _ = stacked_state(implementation, models)

    assert not params["conv1.weight"].requires_grad
    assert not params["fc2.bias"].requires_grad


@pytest.mark.requirement("stacking.dtype")
def test_every_stacked_tensor_keeps_its_dtype(implementation, device):
    models = members(Assorted, MEMBERS, device=device)

    params, buffers = stacked_state(implementation, models)

    dtypes = {name: tensor.dtype for name, tensor in state_of(models[0]).items()}
    assert {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64} < set(dtypes.values())
    assert {name: tensor.dtype for name, tensor in (params | buffers).items()} == dtypes


@pytest.mark.requirement("stacking.device")
@pytest.mark.parametrize("where", ["device", "meta"])
def test_every_stacked_tensor_is_on_its_members_device(implementation, device, where):
    models = members(Assorted, MEMBERS, device=device)
    models = [model.to("meta") for model in models] if where == "meta" else models

    params, buffers = stacked_state(implementation, models)

    devices = {name: tensor.device for name, tensor in state_of(models[0]).items()}
    assert {each.type for each in devices.values()} == {"meta" if where == "meta" else device.type}
    assert {name: tensor.device for name, tensor in (params | buffers).items()} == devices


@pytest.mark.requirement("stacking.integer_buffers")
def test_integer_and_boolean_buffers_keep_dtype_and_exact_values(implementation, device):
    models = members(Assorted, MEMBERS, device=device)
    for i, model in enumerate(models):
        model.count.fill_(2**62 + 1 + i)  # a double could not tell these apart

    _, buffers = stacked_state(implementation, models)

    names = ["count", "codes", "mask"]
    assert {buffers[name].dtype for name in names} == {torch.int64, torch.uint8, torch.bool}
    assert_slices({name: buffers[name] for name in names}, [{n: getattr(m, n) for n in names} for m in models])


@pytest.mark.requirement("stacking.non_persistent_buffers")
def test_buffers_outside_the_state_dict_are_stacked(implementation, device):
    models = members(Assorted, MEMBERS, device=device)
    assert "scratch" not in models[0].state_dict()

    _, buffers = stacked_state(implementation, models)

    assert "scratch" in buffers
    assert_slices({"scratch": buffers["scratch"]}, [{"scratch": model.scratch} for model in models])
