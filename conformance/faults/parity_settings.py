"""Faults for the chapter `parity`: settings that do not hold inside vmap, and layouts that are misread."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.faults.base.fault import StackFault
from conformance.faults.base.patch import PatchedInsideVmap
from conformance.faults.base.vmap import VmapFault
from conformance.utils.torch_settings import AUTOCAST, set_flags

Run = Callable[..., Any]


def is_autocasting() -> bool:
    return any(ask() is True for ask in AUTOCAST)


class AutocastIgnored(VmapFault):
    """Autocast ends where vmap begins."""

    breaks = "parity.autocast_operations"
    also = ("parity.autocast_calls", "parity.settings")

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        def plainly(*args: Any) -> Any:
            with torch.autocast("cpu", enabled=False):
                return func(*args)

        return run(plainly, in_dims, out_dims, args)


class LastCastKept(VmapFault):
    """In an autocast region the first cast is reused for every weight of its shape."""

    breaks = "parity.autocast_calls"
    also = ("parity.autocast_operations",)

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.kept: dict[torch.Size, Tensor] = {}

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if not is_autocasting():
            self.kept.clear()
        elif len(args) == 2 and self.depth == 1:
            args = (args[0], self.kept.setdefault(args[1].shape, args[1]))
        return run(func, in_dims, out_dims, args)


class Float64CastToo(PatchedInsideVmap):
    """Under autocast a float64 matrix product inside vmap is computed in float32."""

    breaks = "parity.float64"
    owner = F
    attribute = "linear"

    def spoiled(self, linear: Callable[..., Tensor], x: Tensor, *more: Any) -> Tensor:
        found = linear(x, *more)
        return found.float().double() if is_autocasting() and x.dtype == torch.float64 else found


class OneDNNOnInsideVmap(VmapFault):
    """oneDNN is always on inside vmap."""

    breaks = "parity.settings"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        with set_flags(onednn_enabled=True):
            return run(func, in_dims, out_dims, args)


class WeightsInChannelsLastMisread(StackFault):
    """Weights in channels_last are stacked as if they were contiguous."""

    breaks = "parity.channels_last"

    def stacked(self, tensor: Tensor) -> Tensor:
        if tensor.ndim != 5 or tensor.stride(-3) != 1:
            return tensor
        return tensor.movedim(-3, -1).reshape(tensor.shape)


class HalfImagesInChannelsLastMisread(VmapFault):
    """Images of half precision in channels_last are taken for contiguous ones."""

    breaks = "parity.channels_last"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        x = args[-1]
        if isinstance(x, Tensor) and x.ndim == 5 and x.stride(-3) == 1 and torch.finfo(x.dtype).bits == 16:
            args = (*args[:-1], x.movedim(-3, -1).reshape(x.shape))
        return run(func, in_dims, out_dims, args)
