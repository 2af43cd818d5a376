"""Faults for the chapter `inplace`: writes that are lost, reach somebody else, or are accepted where they can't be."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from conformance.assertions import REFUSALS
from conformance.faults.derivatives import inside_vmap, last_cut_off
from conformance.faults.dims import InputFault, OutputFault, VmapFault, spread
from conformance.faults.errors import Accepting
from conformance.faults.fault import Fault
from conformance.faults.patched import PatchedInsideVmap
from conformance.trees import leaves, tree_map

Run = Callable[..., Any]


def copies(tree: Any) -> Any:
    return tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, tree)


class CallerSeesNoWrites(VmapFault):
    """The function works on copies of what it is given."""

    breaks = "inplace.mapped"
    also = ("inplace.*",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        return run(func, in_dims, out_dims, copies(args))


class LastMemberNotWritten(VmapFault):
    """What is written to the last member is taken back, for the caller."""

    breaks = "inplace.mapped"
    also = ("inplace.*",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        first = next(iter(leaves(spread(in_dims, args), "")))[1].value
        if first is None or not isinstance(args[0], Tensor):
            return run(func, in_dims, out_dims, args)
        kept = args[0].select(first, -1).clone()
        out = run(func, in_dims, out_dims, args)
        with torch.no_grad():
            if kept.shape == args[0].select(first, -1).shape:
                args[0].select(first, -1).copy_(kept)
        return out


class ScatteredMemoryNotWritten(InputFault):
    """Of a tensor that does not lie in one piece, and is mapped along its last dimension, a copy is written to."""

    breaks = "inplace.placed"

    def leaf(self, leaf: Any, dim: int | None) -> Any:
        return leaf.clone() if dim == -1 and not leaf.movedim(-1, 0).is_contiguous() and leaf.stride(-1) != 1 else leaf


class NumberBehindSliceDoubled(Fault):
    """Inside vmap what is assigned at an index behind a slice is doubled."""

    breaks = "inplace.index_behind_slice"
    also = ("inplace.mapped",)

    def fault_active(self) -> AbstractContextManager[Any]:
        original = torch.Tensor.__setitem__

        def doubled(tensor: Tensor, index: Any, value: Any) -> None:
            behind = isinstance(index, tuple) and isinstance(index[0], slice) and isinstance(index[-1], Tensor)
            original(tensor, index, value * 2 if behind and inside_vmap() else value)

        return patch.object(torch.Tensor, "__setitem__", doubled)


class UnmappedTakesWrites(Accepting):
    """A write of a mapped value to what is not mapped is accepted in silence."""

    breaks = "inplace.unmapped"
    also = ("inplace.made_inside_unmapped", "inplace.nested", "inplace.out")
    words = "not possible|doesn't match the broadcast shape"


class RefusedWriteWritesOneMember(Accepting):
    """A write that is refused has already been made for one member."""

    breaks = "inplace.unmapped"
    also = ("inplace.out", "inplace.nested", "inplace.leaves", "inplace.expanded")

    def accept(self, call: Run, args: Sequence[Any], kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except REFUSALS:
            if args and isinstance(args[0], Tensor):
                args[0].copy_(args[0].flip(-1))
            raise


class OutIgnored(Accepting):
    """A function that is given out= leaves it as it is, in silence."""

    breaks = "inplace.out"
    also = ("inplace.mapped", "inplace.placed")
    words = "out= or view ops"


class RefusedOutIsWritten(Accepting):
    """A refused out= holds ones afterwards."""

    breaks = "inplace.out"

    def accept(self, call: Run, args: Sequence[Any], kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except REFUSALS as refusal:
            if "out= or view ops" in str(refusal):
                tree_map(lambda leaf: leaf.fill_(1), args[0])
            raise


class WriteNobodyKnows(Fault):
    """In this torch there is an in-place method that nobody has looked at."""

    breaks = "inplace.operations_covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        return patch.object(torch.Tensor, "newest_", torch.Tensor.add_, create=True)


class OutNobodyCanCall(Fault):
    """In this torch there is a function with out= that nobody knows how to call."""

    breaks = "inplace.out_covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        def newest(secret: str, out: Tensor) -> None:
            """Takes a secret, and out (Tensor)."""

        return patch.object(torch, "newest", newest, create=True)


class TransposeInPlaceForgotten(PatchedInsideVmap):
    """Inside vmap t_ does nothing."""

    breaks = "inplace.reshaping"
    also = ("inplace.reshaped_for_the_caller",)
    owner = torch.Tensor
    attribute = "t_"

    def spoiled(self, t_: Any, tensor: Tensor) -> Tensor:  # noqa: ARG002
        return tensor


class NarrowCopies(PatchedInsideVmap):
    """Inside vmap narrow gives a copy."""

    breaks = "inplace.views"
    owner = torch.Tensor
    attribute = "narrow"

    def spoiled(self, narrow: Any, *args: Any) -> Any:
        return narrow(*args).clone()


class PickedElementIsACopy(PatchedInsideVmap):
    """Inside vmap an element that is picked by a tensor is a copy."""

    breaks = "inplace.view_by_index"
    also = ("inplace.views",)
    owner = torch.Tensor
    attribute = "__getitem__"

    def spoiled(self, getitem: Any, tensor: Tensor, index: Any) -> Any:
        return getitem(tensor, index).clone() if isinstance(index, Tensor) else getitem(tensor, index)


class CloneIsTheSame(PatchedInsideVmap):
    """Inside vmap a clone is the tensor itself."""

    breaks = "inplace.copies"
    also = ("inplace.views", "inplace.chunks")
    owner = torch.Tensor
    attribute = "clone"

    def spoiled(self, clone: Any, tensor: Tensor) -> Tensor:  # noqa: ARG002
        return tensor


class NewZerosIsNotMapped(PatchedInsideVmap):
    """Inside vmap new_zeros of a mapped tensor is not mapped."""

    breaks = "inplace.made_inside"
    owner = torch.Tensor
    attribute = "new_zeros"

    def spoiled(self, new_zeros: Any, tensor: Tensor, *size: int) -> Tensor:  # noqa: ARG002
        return torch.zeros(size)


class SharedMemoryTornApart(VmapFault):
    """The second of two arguments that share their memory is a copy."""

    breaks = "inplace.shared_storage"
    also = ("inplace.expanded",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        first, *others = args
        torn = (
            each.clone() if isinstance(first, Tensor) and isinstance(each, Tensor) and shared(first, each) else each
            for each in others
        )
        return run(func, in_dims, out_dims, (first, *torn))


def shared(a: Tensor, b: Tensor) -> bool:
    return not inside_vmap() and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


class OneMemoryTakesWrites(Accepting):
    """A write to members that are one memory is accepted in silence."""

    breaks = "inplace.expanded"
    words = "single memory location"


class ChunksWriteToCopies(Fault):
    """In chunks the function works on copies of what it is given."""

    breaks = "inplace.chunks"

    def vmap(self, func: Run, *options: Any, chunk_size: int | None = None, **more: Any) -> Run:
        whole = self.inner.vmap(func, *options, chunk_size=chunk_size, **more)
        return (lambda *args: whole(*copies(args))) if chunk_size else whole


class InnerWritesToCopies(VmapFault):
    """Where vmap is in vmap, the inner function works on copies of what it is given."""

    breaks = "inplace.nested"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        return run(func, in_dims, out_dims, copies(args) if self.depth > 1 else args)


class WritesNotCounted(VmapFault):
    """A write by vmap is unknown to autograd."""

    breaks = "inplace.versions"
    also = ("inplace.gradients",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if not isinstance(args[0], Tensor) or self.depth > 1:
            return run(func, in_dims, out_dims, args)
        hidden = torch.autograd.__dict__["_unsafe_preserve_version_counter"]  # the only way to hide a write
        with hidden(args[0]):
            return run(func, in_dims, out_dims, args)


class LastWriteCutOff(OutputFault):
    """The last member's result has no gradient."""

    breaks = "inplace.gradients"

    def output(self, out: Tensor) -> Tensor:
        return last_cut_off(out) if out.requires_grad else out


class LeavesTakeWrites(VmapFault):
    """Parameters are written to as if no gradients were asked for."""

    breaks = "inplace.leaves"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if not isinstance(args[0], dict):
            return run(func, in_dims, out_dims, args)
        with torch.no_grad():
            return run(func, in_dims, out_dims, args)


class WrittenParametersLost(VmapFault):
    """A member writes to a copy of its parameters."""

    breaks = "inplace.parameters"
    also = ("inplace.leaves",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        return run(func, in_dims, out_dims, (copies(args[0]), *args[1:]) if isinstance(args[0], dict) else args)
