"""Faults for the chapter `inplace`: writes to views and shared memory, and writes unknown to autograd."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.faults.base.derivative import detach_last_member, inside_vmap
from conformance.faults.base.fault import Fault
from conformance.faults.base.patch import PatchedInsideVmap
from conformance.faults.base.vmap import OutputFault, VmapFault
from conformance.faults.errors import Accepting
from conformance.faults.inplace import copies

Run = Callable[..., Any]


class TransposeInPlaceForgotten(PatchedInsideVmap):
    """Inside vmap t_ does nothing."""

    breaks = "inplace.reshaping"
    also = ("inplace.reshaped_for_the_caller",)
    owner = torch.Tensor
    attribute = "t_"

    def spoiled(self, t_: Any, tensor: Tensor) -> Tensor:  # noqa: ARG002
        return tensor


class NarrowCopies(PatchedInsideVmap):
    """Inside vmap narrow returns a copy."""

    breaks = "inplace.views"
    owner = torch.Tensor
    attribute = "narrow"

    def spoiled(self, narrow: Any, *args: Any) -> Any:
        return narrow(*args).clone()


class PickedElementIsACopy(PatchedInsideVmap):
    """Inside vmap an element selected by a tensor is a copy."""

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
    """A write to members that share one memory is silently accepted."""

    breaks = "inplace.expanded"
    words = "single memory location"


class ChunksWriteToCopies(Fault):
    """In chunks the function works on copies of its arguments."""

    breaks = "inplace.chunks"
    also = ("inplace.versions", "inplace.unmapped_once")

    def vmap(self, func: Run, *options: Any, chunk_size: int | None = None, **more: Any) -> Run:
        whole = self.inner.vmap(func, *options, chunk_size=chunk_size, **more)
        return (lambda *args: whole(*copies(args))) if chunk_size else whole


class InnerWritesToCopies(VmapFault):
    """In nested vmaps the inner function works on copies of its arguments."""

    breaks = "inplace.nested"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        return run(func, in_dims, out_dims, copies(args) if self.depth > 1 else args)


class WritesNotCounted(VmapFault):
    """Writes inside vmap do not advance the version that autograd checks."""

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
        return detach_last_member(out) if out.requires_grad else out


class LeavesTakeWrites(VmapFault):
    """Writes to parameters are accepted as if they required no gradients."""

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
