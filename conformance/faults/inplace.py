"""Faults for the chapter `inplace`: writes that are lost, reach another tensor, or are wrongly accepted."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from conformance.faults.base.fault import Fault
from conformance.faults.base.patch import PatchedInsideVmap
from conformance.faults.base.vmap import InputFault, VmapFault, spread_in_dims
from conformance.faults.errors import Accepting, LeavingATrace
from conformance.utils.pytree import leaves, tree_map

Run = Callable[..., Any]


def copies(tree: Any) -> Any:
    return tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, tree)


class CallerSeesNoWrites(VmapFault):
    """The function works on copies of its arguments."""

    breaks = "inplace.mapped"
    also = ("inplace.*",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        return run(func, in_dims, out_dims, copies(args))


class LastMemberNotWritten(VmapFault):
    """Writes to the last member are undone in the caller's tensor."""

    breaks = "inplace.mapped"
    also = ("inplace.*",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        first = next(iter(leaves(spread_in_dims(in_dims, args), "")))[1].value
        if first is None or not isinstance(args[0], Tensor):
            return run(func, in_dims, out_dims, args)
        kept = args[0].select(first, -1).clone()
        out = run(func, in_dims, out_dims, args)
        with torch.no_grad():
            if kept.shape == args[0].select(first, -1).shape:
                args[0].select(first, -1).copy_(kept)
        return out


class ScatteredMemoryNotWritten(InputFault):
    """Writes to a non-contiguous tensor that is mapped along its last dimension go to a copy."""

    breaks = "inplace.placed"

    def leaf(self, leaf: Any, dim: int | None) -> Any:
        return leaf.clone() if dim == -1 and not leaf.movedim(-1, 0).is_contiguous() and leaf.stride(-1) != 1 else leaf


class NumberBehindSliceDoubled(PatchedInsideVmap):
    """Inside vmap an assignment at an index behind a slice is doubled."""

    breaks = "inplace.index_behind_slice"
    also = ("inplace.mapped",)

    owner = torch.Tensor
    attribute = "__setitem__"

    def spoiled(self, setitem: Any, tensor: Tensor, index: Any, value: Any) -> None:
        behind = isinstance(index, tuple) and isinstance(index[0], slice) and isinstance(index[-1], Tensor)
        setitem(tensor, index, value * 2 if behind else value)


class UnmappedTakesWrites(Accepting):
    """A write of a mapped value to an unmapped tensor is silently accepted."""

    breaks = "inplace.unmapped"
    also = ("inplace.made_inside_unmapped", "inplace.nested", "inplace.out")
    words = "not possible|doesn't match the broadcast shape"


class RefusedWriteWritesOneMember(LeavingATrace):
    """A refused write has already been made for one member."""

    breaks = "inplace.unmapped"
    also = ("inplace.out", "inplace.nested", "inplace.leaves", "inplace.expanded")

    def leave(self, refusal: BaseException, args: Sequence[Any]) -> None:  # noqa: ARG002 - whatever was said
        if args and isinstance(args[0], Tensor):
            args[0].copy_(args[0].flip(-1))


class OutIgnored(Accepting):
    """A function silently ignores out=."""

    breaks = "inplace.out"
    also = ("inplace.mapped", "inplace.placed")
    words = "out= or view ops"


class RefusedOutIsWritten(LeavingATrace):
    """A refused out= is filled with ones."""

    breaks = "inplace.out"

    def leave(self, refusal: BaseException, args: Sequence[Any]) -> None:
        if "out= or view ops" in str(refusal):
            tree_map(lambda leaf: leaf.fill_(1), args[0])


class WriteNobodyKnows(Fault):
    """In this torch there is an in-place method that the suite does not cover."""

    breaks = "inplace.operations_covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        return patch.object(torch.Tensor, "newest_", torch.Tensor.add_, create=True)


class OutNobodyCanCall(Fault):
    """In this torch there is a function with out= that the suite can't call."""

    breaks = "inplace.out_covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        def newest(secret: str, out: Tensor) -> None:
            """Takes a secret, and out (Tensor)."""

        return patch.object(torch, "newest", newest, create=True)
