"""Faults for the chapter `forward`: layouts of the minibatches in memory."""

from typing import Any

import torch

from conformance.faults.base.fault import Fault


class StridesIgnored(Fault):
    """Inputs are read in the order of their memory, as if they were contiguous."""

    breaks = "forward.noncontiguous"
    also = ("forward.channels_last",)

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        x = args[-1]
        if x.is_contiguous() or 0 in x.stride():
            return in_dims, args
        return in_dims, (*args[:-1], x.as_strided(x.shape, torch.empty(x.shape, device="meta").stride()))


class OffsetIgnored(Fault):
    """Inputs are read from the start of their memory."""

    breaks = "forward.noncontiguous"
    also = ("forward.state_of_the_call",)

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        x = args[-1]
        ours = x.ndim == 5 and x.is_contiguous()
        return in_dims, (*args[:-1], x.as_strided(x.shape, x.stride(), 0) if ours else x)


class ExpandedReadsOn(Fault):
    """An expanded dimension is read as if its slices followed each other in memory."""

    breaks = "forward.expanded"

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        x = args[-1]
        if 0 not in x.stride():
            return in_dims, args
        dim = x.stride().index(0)
        places = torch.arange(x.shape[dim], device=x.device).reshape(-1, *[1] * (x.ndim - dim - 1))
        return in_dims, (*args[:-1], x + places)


class ChannelsLastMisread(Fault):
    """Images in channels_last are read as contiguous ones."""

    breaks = "forward.channels_last"

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        x = args[-1]
        if x.ndim < 4 or x.shape[-3] == 1 or x.stride(-3) != 1:
            return in_dims, args
        return in_dims, (*args[:-1], x.movedim(-3, -1).reshape(x.shape))
