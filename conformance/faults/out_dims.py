"""Faults for the chapter `out_dims`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.faults.base.vmap import OutDimFault, OutputFault, VmapFault
from conformance.faults.in_dims import TRANSFORM
from conformance.utils.pytree import leaves, tree_map


class OutputsThirdIsSecond(OutDimFault):
    """An out_dim of 2 is read as 1."""

    breaks = "out_dims.position"
    also = TRANSFORM

    def out_dim(self, dim: int | None) -> int | None:
        return 1 if dim == 2 else dim


class OutputsNegativeOffByOne(OutDimFault):
    """A negative out_dim counts on the output without its mapped dimension."""

    breaks = "out_dims.negative"
    also = TRANSFORM

    def out_dim(self, dim: int | None) -> int | None:
        return -1 if dim == -2 else dim


class OutDimsExchanged(VmapFault):
    """The first two of several outputs exchange their places."""

    breaks = "out_dims.per_output"
    also = TRANSFORM

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        swap = isinstance(out_dims, tuple) and len(out_dims) > 2 and all(isinstance(dim, int) for dim in out_dims)
        return run(func, in_dims, (out_dims[1], out_dims[0], *out_dims[2:]) if swap else out_dims, args)


class OutDimForTheFirstOnly(VmapFault):
    """An int for several outputs applies to the first; the others are stacked in front."""

    breaks = "out_dims.broadcast"
    also = ("out_dims.any", "chunking.any")

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        if isinstance(out, Tensor) or not isinstance(out_dims, int) or not out_dims:
            return out
        first = next(iter(leaves(out, "")))[1]
        return tree_map(lambda leaf: leaf if leaf is first else leaf.movedim(out_dims, 0), out)


class DictOutputsInFront(VmapFault):
    """out_dims in a dict are read as 0."""

    breaks = "out_dims.nested"
    also = ("out_dims.any", "chunking.any")

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if isinstance(out_dims, dict):
            out_dims = tree_map(lambda dim: dim if dim is None else 0, out_dims)
        return run(func, in_dims, out_dims, args)


class DictOutputsByPosition(VmapFault):
    """out_dims for a dict are matched by the position of the keys."""

    breaks = "out_dims.dict_by_key"
    also = ("out_dims.any", "chunking.any")
    judged_on = "reference"

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if type(out_dims) is not dict:
            return run(func, in_dims, out_dims, args)
        keys = list(run(func, in_dims, 0, args))
        return run(func, in_dims, dict(zip(keys, out_dims.values(), strict=True)), args)


class NoneOutputsRepeated(VmapFault):
    """A tensor under None is repeated for every member."""

    breaks = "out_dims.none"
    also = ("out_dims.*",)

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        if not isinstance(out_dims, tuple) or not isinstance(out, tuple):
            return out
        repeated = [dim is None and isinstance(leaf, Tensor) for dim, leaf in zip(out_dims, out, strict=True)]
        return tuple(leaf[None] if again else leaf for again, leaf in zip(repeated, out, strict=True))


class InputsComeBackUnmoved(VmapFault):
    """An input that is returned comes back with its mapped dimension where it was."""

    breaks = "out_dims.inputs_and_views"
    also = TRANSFORM

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        same: list[bool] = []

        def noting(*inputs: Any) -> Any:
            out = func(*inputs)
            same[:] = [leaf is inputs[0] for leaf in out] if type(out) is tuple else []
            return out

        out = run(noting, in_dims, out_dims, args)
        if not any(same) or len(args) != 1:
            return out
        return tuple(args[0] if back else leaf for back, leaf in zip(same, out, strict=True))


class ConstantFault(VmapFault):
    """A fault in outputs that are inputs under None: override `constant`, which gets each and its out_dim."""

    constant: Callable[[Tensor, Any], Tensor]

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        shared = isinstance(in_dims, tuple) and in_dims[-1] is None and len(args) == 2
        found: list[bool] = []

        def noting(*inputs: Any) -> Any:
            out = func(*inputs)
            found[:] = [leaf is inputs[-1] for _, leaf in leaves(out, "")] if shared else []
            return out

        out = run(noting, in_dims, out_dims, args)
        which = iter(found or [False] * len(list(leaves(out, ""))))
        return tree_map(lambda leaf: self.constant(leaf, out_dims) if next(which) else leaf, out)


class ConstantsOnlyOnce(ConstantFault):
    """An unmapped output that goes in front is zero from the second member on."""

    breaks = "out_dims.constant"
    also = ("chunking.constants", "in_dims.*", "out_dims.any", "chunking.any")

    def constant(self, leaf: Tensor, out_dims: Any) -> Tensor:
        return torch.cat([leaf[:1], torch.zeros_like(leaf[1:])]) if out_dims == 0 else leaf


class ConstantsTransposed(ConstantFault):
    """An unmapped output that goes elsewhere is repeated in front if the sizes fit."""

    breaks = "out_dims.constant_elsewhere"
    judged_on = "reference"

    def constant(self, leaf: Tensor, out_dims: Any) -> Tensor:
        return leaf.transpose(0, 1) if out_dims == 1 else leaf


class ConstantsTransposedFromTheEnd(ConstantFault):
    """An unmapped output with a negative out_dim is repeated in front."""

    breaks = "out_dims.constant_negative"
    judged_on = "reference"

    def constant(self, leaf: Tensor, out_dims: Any) -> Tensor:
        return leaf.transpose(0, -1) if out_dims == -1 else leaf


class EmptyVectorsForgotten(OutputFault):
    """An output without elements has another shape."""

    breaks = "out_dims.joined_empty_vectors"
    also = ("in_dims.*", "out_dims.any")
    judged_on = "reference"

    def output(self, leaf: Tensor) -> Tensor:
        return leaf.T if leaf.ndim == 2 and not leaf.numel() else leaf


class EnsembleInFront(VmapFault):
    """The members' outputs are stacked in front, regardless of out_dims."""

    breaks = "out_dims.ensemble"
    also = ("out_dims.any",)

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        ensemble = len(args) == 3 and isinstance(args[0], dict) and isinstance(out_dims, int)
        return run(func, in_dims, 0 if ensemble else out_dims, args)


class BooleansInverted(OutputFault):
    """Boolean outputs come back inverted."""

    breaks = "out_dims.any"
    also = ("in_dims.any", "chunking.any", "errors.any")

    def output(self, leaf: Tensor) -> Tensor:
        return ~leaf if leaf.dtype == torch.bool else leaf
