"""Faults for the chapter `nesting`."""

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor

from conformance.faults.base.vmap import VmapFault
from conformance.utils.pytree import tree_map

Run = Callable[..., Any]


def transform_of(func: Any) -> str:
    """Return the name of the torch.func transform that made this function, or an empty string."""
    code = getattr(func, "__code__", None)
    return code.co_qualname.partition(".")[0] if code is not None else ""


class SamplesReversedWithin(VmapFault):
    """In a vmap over samples inside of one over members, samples come out in reverse order."""

    breaks = "nesting.samples_of_members"
    also = ("nesting.per_sample_gradients",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if self.depth == 2 and in_dims == (None, None, 0):
            args = (*args[:2], args[2].flip(0))
        return run(func, in_dims, out_dims, args)


class MembersReversedWithin(VmapFault):
    """In a vmap over members inside of one over samples, members come out in reverse order."""

    breaks = "nesting.members_of_samples"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        return out.flip(0) if self.depth == 2 and in_dims == (0, 0, None) else out


class InnerNegativeOffByOne(VmapFault):
    """In an inner vmap a negative in_dim counts the outer level's dimension too."""

    breaks = "nesting.dims_per_level"
    also = ("nesting.any",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        return run(func, -1 if self.depth == 2 and in_dims == -2 else in_dims, out_dims, args)


class InnerOutDimIgnored(VmapFault):
    """In an inner vmap outputs are stacked in front."""

    breaks = "nesting.closure"
    also = ("nesting.dims_per_level", "nesting.three_levels", "nesting.any")

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        return run(func, in_dims, 0 if self.depth == 2 else out_dims, args)


class PerSampleGradientsAveraged(VmapFault):
    """Each sample's gradient is the mean over the samples."""

    breaks = "nesting.per_sample_gradients"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        if self.depth == 2 and transform_of(func) == "grad":
            return tree_map(lambda leaf: leaf.mean(0, keepdim=True).expand_as(leaf), out)
        return out


class RowsOfTheGridShared(VmapFault):
    """Every row of a grid has the scale of its first member."""

    breaks = "nesting.grid"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        return out[:1].expand_as(out) if self.depth == 2 and len(args) == 4 else out


class ThirdLevelReversed(VmapFault):
    """At the third level the members come out in reverse order."""

    breaks = "nesting.three_levels"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        return out.flip(out_dims) if self.depth == 3 else out


class GradientsScaledByMembers(VmapFault):
    """The gradient of each slice is divided by their number."""

    breaks = "nesting.grad"
    also = ("nesting.per_sample_gradients",)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        return tree_map(lambda leaf: leaf / len(leaf), out) if transform_of(func) == "grad" else out


class TangentsDropped(VmapFault):
    """The tangent of a dual tensor is zero."""

    breaks = "nesting.jvp"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        pair = len(args) == 2 and type(out) is tuple and len(out) == 2
        return (out[0], torch.zeros_like(out[1])) if pair else out


class JacobiansTransposed(VmapFault):
    """The two dimensions of each slice's Jacobian change places."""

    breaks = "nesting.jacrev"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        return out.mT if transform_of(func) == "jacrev" else out


class LevelLeftOpen(VmapFault):
    """After an exception the level stays open until the next call."""

    breaks = "nesting.exception"
    also = ("errors.*", "nesting.*")
    open_levels = 0

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        self.close()
        try:
            return run(func, in_dims, out_dims, args)
        except ZeroDivisionError:
            torch._C._functorch._vmap_increment_nesting(3, "error")  # noqa: SLF001 - a level is opened nowhere else
            self.open_levels += 1
            raise

    def close(self) -> None:
        for _ in range(self.open_levels):
            torch._C._functorch._vmap_decrement_nesting()  # noqa: SLF001 - likewise
        self.open_levels = 0

    @contextmanager
    def _closed_in_the_end(self) -> Any:
        yield
        self.close()

    def fault_active(self) -> AbstractContextManager[Any]:
        return self._closed_in_the_end()


class InnerScalarsNegated(VmapFault):
    """In an inner vmap, scalars of two arguments come out with the wrong sign."""

    breaks = "nesting.any"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        scalar = self.depth == 2 and len(args) == 2 and isinstance(out, Tensor) and out.ndim == 1
        return -out if scalar else out
