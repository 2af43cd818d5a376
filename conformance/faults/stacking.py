"""Faults for the chapter `stacking`: the names, order and values of the stacked state."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.faults.base.fault import Fault, StackFault

Combined = tuple[Callable[..., Any], Any, Any]


class MembersReversed(Fault):
    """The members are stacked in reverse order."""

    breaks = "stacking.order"
    also = (
        "forward.*",
        "stacking.*",
        "calling.fmodel*",
        "calling.meta_base",
    )

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        return self.inner.combine(list(models)[::-1])


class SquaresTransposed(StackFault):
    """Two dimensions of equal size are exchanged."""

    breaks = "stacking.order"
    also = (
        "stacking.tied",
        "calling.fmodel",
    )

    def stacked(self, tensor: Tensor) -> Tensor:
        return tensor.mT if tensor.ndim == 3 and tensor.shape[1] == tensor.shape[2] else tensor


class NamesSorted(Fault):
    """The names come in alphabetical order."""

    breaks = "stacking.names"
    also = (
        "forward.train_mode",
        "forward.golden_gradients",
    )

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        return fmodel, dict(sorted(params.items())), dict(sorted(buffers.items()))


class BuffersShuffled(Fault):
    """The first two of many buffers are exchanged."""

    breaks = "stacking.tuples"
    also = (
        "stacking.order",
        "stacking.leading_dimension",
        "stacking.dtype",
        "stacking.integer_buffers",
    )
    judged_on = "functorch"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        return fmodel, params, (buffers[1], buffers[0], *buffers[2:]) if len(buffers) > 5 else buffers


class ScalarsGetADimension(StackFault):
    """Scalars are stacked as if they were vectors of one element."""

    breaks = "stacking.leading_dimension"
    also = (
        "forward.train_mode",
        "stacking.order",
        "stacking.integer_buffers",
        "stacking.sequences",
        "stacking.refuses_*",
    )

    def stacked(self, tensor: Tensor) -> Tensor:
        return tensor.unsqueeze(1) if tensor.ndim == 1 else tensor


class ModuleListReversed(Fault):
    """A ModuleList is stacked in reverse order."""

    breaks = "stacking.sequences"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        return self.inner.combine(list(models)[::-1] if isinstance(models, nn.ModuleList) else models)


class OneRoundingTooMany(StackFault):
    """Values come out one unit in the last place too large."""

    breaks = "stacking.round_trip"
    also = (
        "forward.golden_gradients",
        "stacking.order",
        "stacking.non_persistent_buffers",
        "stacking.sequences",
        "stacking.refuses_*",
    )

    def stacked(self, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        return torch.nextafter(tensor.detach(), torch.full_like(tensor.detach(), torch.inf))
