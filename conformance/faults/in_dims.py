"""Faults for the chapter `in_dims`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.faults.base.vmap import DimFault, InputFault, VmapFault, size, spread_in_dims
from conformance.utils.pytree import children, leaves, rebuild

# Whatever maps over other dimensions than the first, or over less than everything, rests on these.
TRANSFORM = ("in_dims.*", "out_dims.*", "chunking.*", "nesting.*")


class BuffersInFront(VmapFault):
    """Stacked buffers are mapped over their first dimension, regardless of in_dims."""

    breaks = "in_dims.ensemble"
    also = ("in_dims.any", "out_dims.any", "chunking.any", "errors.any")

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if isinstance(in_dims, tuple) and len(in_dims) == 3 and isinstance(in_dims[1], dict):
            in_dims = (in_dims[0], dict.fromkeys(in_dims[1], 0), in_dims[2])
        return run(func, in_dims, out_dims, args)


class ThirdIsSecond(DimFault):
    """An in_dim of 2 is read as 1."""

    breaks = "in_dims.position"
    also = TRANSFORM

    def in_dim(self, dim: int | None, leaf: Any, n: int) -> int | None:  # noqa: ARG002
        return 1 if dim == 2 else dim


class NegativeOffByOne(DimFault):
    """An in_dim of -1 is read as -2."""

    breaks = "in_dims.negative"
    also = TRANSFORM

    def in_dim(self, dim: int | None, leaf: Any, n: int) -> int | None:  # noqa: ARG002
        return -2 if dim == -1 and leaf.ndim > 1 else dim


class NoneIsZeroWhereItFits(DimFault):
    """An input under None is mapped if it has as many rows as there are members."""

    breaks = "in_dims.none"
    also = (*TRANSFORM, "forward.shared_minibatch", "forward.any_size")

    def in_dim(self, dim: int | None, leaf: Any, n: int) -> int | None:
        fits = isinstance(leaf, Tensor) and leaf.ndim > 1 and leaf.shape[0] == n
        return 0 if dim is None and fits else dim


class BroadcastEndsAtLists(VmapFault):
    """An entry of in_dims for a container does not apply to lists within it."""

    breaks = "in_dims.broadcast"
    also = ("in_dims.any", "out_dims.any", "chunking.any", "errors.*")

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        over = in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(args)
        cut = tuple(
            rebuild(arg, [None if isinstance(child, list) else dim for _, child in pairs])
            if isinstance(dim, int) and (pairs := children(arg)) and any(isinstance(child, list) for _, child in pairs)
            else dim
            for dim, arg in zip(over, args, strict=False)
        )
        return run(func, cut if cut != over else in_dims, out_dims, args)


class ListsInFront(VmapFault):
    """Entries in a list are read as 0."""

    breaks = "in_dims.nested"
    also = ("in_dims.same_tensor", "in_dims.size_from_any", "in_dims.any", "out_dims.any", "chunking.any", "errors.any")

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if isinstance(in_dims, tuple):
            in_dims = tuple(self.in_front(dim) if isinstance(dim, list) else dim for dim in in_dims)
        return run(func, in_dims, out_dims, args)

    def in_front(self, dims: list[Any]) -> list[Any]:
        return [0 if isinstance(dim, int) else dim for dim in dims]


class DictsByPosition(VmapFault):
    """in_dims for a dict are matched by the position of the keys."""

    breaks = "in_dims.dict_by_key"
    judged_on = "reference"

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if isinstance(in_dims, tuple):
            in_dims = tuple(
                dict(zip(arg, dim.values(), strict=True)) if type(dim) is dict else dim
                for dim, arg in zip(in_dims, args, strict=True)
            )
        return run(func, in_dims, out_dims, args)


class NumbersBecomeTensors(InputFault):
    """A Python number under None reaches the function as a tensor."""

    breaks = "in_dims.python_values"

    def leaf(self, leaf: Any, dim: int | None) -> Any:  # noqa: ARG002
        return torch.tensor(leaf) if type(leaf) is int else leaf


class ContainersHaveNoSize(VmapFault):
    """The number of members is taken only from tensors that are passed directly."""

    breaks = "in_dims.size_from_any"
    also = ("in_dims.*", "out_dims.*", "chunking.*", "stacking.*", "errors.*")

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        direct = [isinstance(arg, Tensor) for arg in args]
        dims = in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(args)
        if not any(is_tensor and dim is not None for is_tensor, dim in zip(direct, dims, strict=False)) and any(direct):
            raise ValueError("Expected at least one Tensor to vmap over")
        return run(func, in_dims, out_dims, args)


class OneTensorOneDimension(VmapFault):
    """A tensor that is passed twice is mapped over the first of its two dimensions both times."""

    breaks = "in_dims.same_tensor"

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if isinstance(in_dims, tuple) and in_dims and isinstance(in_dims[0], list | tuple) and len(in_dims[0]) == 2:
            first, second = args[0]
            if first is second:
                in_dims = (rebuild(in_dims[0], [in_dims[0][0]] * 2),)
        return run(func, in_dims, out_dims, args)


class InputsReadAsContiguous(InputFault):
    """A transposed input is read in the order of its memory."""

    breaks = "in_dims.layouts"
    also = ("in_dims.*", "out_dims.*", "chunking.*", "forward.*", "nesting.*")

    def leaf(self, leaf: Any, dim: int | None) -> Any:  # noqa: ARG002
        if not isinstance(leaf, Tensor) or leaf.is_contiguous() or 0 in leaf.stride():
            return leaf
        return leaf.as_strided(leaf.shape, torch.empty(leaf.shape, device="meta").stride())


class WritesReachACopy(InputFault):
    """Inputs that are mapped over another dimension than the first are copied."""

    breaks = "in_dims.views"

    def leaf(self, leaf: Any, dim: int | None) -> Any:
        return leaf.clone() if isinstance(leaf, Tensor) and dim not in (None, 0) else leaf


class NoMembersRefused(VmapFault):
    """A call without members is refused."""

    breaks = "in_dims.empty"
    also = ("in_dims.any", "out_dims.any", "errors.*")

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        found = [leaf for _, leaf in leaves(args, "") if isinstance(leaf, Tensor)]
        if found and any(tensor.ndim > 1 for tensor in found) and size(spread_in_dims(in_dims, args), args) == 0:
            raise ValueError("no members")
        return run(func, in_dims, out_dims, args)


class NoScalarsRefused(VmapFault):
    """A call without members on scalars is refused."""

    breaks = "in_dims.empty_scalars"
    also = ("in_dims.any", "out_dims.any")
    judged_on = "reference"

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if any(isinstance(leaf, Tensor) and tuple(leaf.shape) == (0,) for _, leaf in leaves(args, "")):
            raise IndexError("select(): index 0 out of range")
        return run(func, in_dims, out_dims, args)


class ComplexInputsConjugated(InputFault):
    """Complex inputs are multiplied by the imaginary unit."""

    breaks = "in_dims.any"
    also = ("out_dims.any", "chunking.any", "errors.any")

    def leaf(self, leaf: Any, dim: int | None) -> Any:  # noqa: ARG002
        return leaf * 1j if isinstance(leaf, Tensor) and leaf.is_complex() else leaf
