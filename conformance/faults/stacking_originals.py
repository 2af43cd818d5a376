"""Faults for the chapter `stacking`: the original members, which stay independent of the stacked state."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.faults.base.fault import Fault, StackFault

Combined = tuple[Callable[..., Any], Any, Any]


class OneMemberIsAView(Fault):
    """An ensemble of one is a view of its member."""

    breaks = "stacking.no_alias"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        if len(models) != 1:
            return fmodel, params, buffers
        views = {n: p.detach().unsqueeze(0).requires_grad_(p.requires_grad) for n, p in models[0].named_parameters()}
        return fmodel, views, {name: buffer.unsqueeze(0) for name, buffer in models[0].named_buffers()}


class EqualBuffersAreShared(StackFault):
    """A buffer that is the same in all members is stored once for all."""

    breaks = "stacking.no_alias"

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        same = not tensor.is_meta and len(tensor) > 1 and torch.equal(tensor[1:], tensor[:-1])
        return tensor[:1].expand_as(tensor) if same else tensor


class OriginalsLoseTheirGradients(Fault):
    """Combining clears the members' gradients."""

    breaks = "stacking.originals_unchanged"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        for model in models:
            model.zero_grad(set_to_none=True)
        return self.inner.combine(models)


class OriginalsStayOnMode(Fault):
    """Combining leaves the members in eval mode."""

    breaks = "stacking.originals_unchanged"
    also = ("forward.train_mode",)

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        combined = self.inner.combine(models)
        for model in models:
            model.eval()
        return combined


class OriginalsAreRewritten(Fault):
    """Combining writes each member's buffers with their own values."""

    breaks = "stacking.originals_unchanged"
    also = ("stacking.refuses_*",)

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        for model in models:
            for tensor in model.buffers():
                tensor.copy_(tensor.clone())
        return self.inner.combine(models)


class GradientsFlowBack(Fault):
    """A backward pass reaches the first member too."""

    breaks = "stacking.originals_get_no_gradient"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        for name, tensor in params.items():
            original = models[0].get_parameter(name)
            if tensor.requires_grad:
                tensor.register_hook(lambda grad, original=original: setattr(original, "grad", grad[0].clone()))
        return fmodel, params, buffers
