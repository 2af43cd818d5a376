"""Faults for the chapter `stacking`: requires_grad, dtype and device of the stacked state, and the kinds of buffers."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.faults.base.fault import Fault, StackFault

Combined = tuple[Callable[..., Any], Any, Any]


class NoGradIsKept(StackFault):
    """State that is combined under no_grad never requires grad."""

    breaks = "stacking.trainable"

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor if torch.is_grad_enabled() else tensor.detach()


class ParametersAreNoLeaves(StackFault):
    """Stacked parameters have a history, so that their gradients are not kept."""

    breaks = "stacking.trainable"
    also = ("stacking.originals_get_no_gradient",)

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor.view_as(tensor) if torch.is_grad_enabled() else tensor


class OneMemberKeepsItsHistory(StackFault):
    """In an ensemble of one, parameters have a history."""

    breaks = "stacking.trainable"

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor.view_as(tensor) if len(tensor) == 1 and tensor.requires_grad else tensor


class LegacyStateRequiresGrad(StackFault):
    """The legacy API returns parameters that require grad."""

    breaks = "stacking.detached"
    also = ("stacking.frozen",)
    judged_on = "functorch"

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor.requires_grad_(tensor.is_floating_point())


class BuffersRequireGrad(StackFault):
    """Floating buffers become trainable."""

    breaks = "stacking.buffers"
    also = (
        "forward.arguments_unchanged",
        "forward.eval_mode",
        "forward.train_mode",
        "calling.fmodel",
        "calling.fmodel_after_changes",
        "calling.meta_base",
    )

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        return tensor.detach().requires_grad_(tensor.is_floating_point())


class FrozenThaw(StackFault):
    """Frozen parameters become trainable."""

    breaks = "stacking.frozen"

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor.requires_grad_()


class HalvesWiden(StackFault):
    """float16 and bfloat16 are stacked as float32."""

    breaks = "stacking.dtype"
    also = ("stacking.order",)

    def stacked(self, tensor: Tensor) -> Tensor:
        return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


class MetaMaterialises(StackFault):
    """Members on another device than the CPU are stacked on the CPU."""

    breaks = "stacking.device"

    def stacked(self, tensor: Tensor) -> Tensor:
        return torch.empty_like(tensor, device="cpu") if tensor.is_meta else tensor


class IntegersThroughDouble(StackFault):
    """Integers are stacked as doubles and converted back."""

    breaks = "stacking.integer_buffers"
    also = ("stacking.order",)

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        return tensor.double().to(tensor.dtype) if tensor.dtype == torch.int64 else tensor


class NonPersistentLeftOut(Fault):
    """Only buffers of the state_dict are stacked."""

    breaks = "stacking.non_persistent_buffers"
    also = (
        "stacking.order",
        "stacking.names",
        "stacking.leading_dimension",
        "stacking.buffers",
        "stacking.dtype",
        "stacking.device",
    )

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        kept = models[0].state_dict()
        return fmodel, params, {name: tensor for name, tensor in buffers.items() if name in kept}
