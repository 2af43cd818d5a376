"""Base classes of faults in vmap: its whole call, its inputs, its outputs, in_dims and out_dims."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from conformance.faults.base.fault import Fault
from conformance.reference.vmap import spread_dims
from conformance.utils.pytree import leaves, tree_map


class VmapFault(Fault):
    """A fault in vmap: override `mapped`, which gets a whole call. `depth` is 1 in the outermost vmap."""

    depth = 0

    def vmap(
        self, func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, *options: Any, **more: Any
    ) -> Callable[..., Any]:
        def spoiled(*args: Any, **kwargs: Any) -> Any:
            def run(func: Callable[..., Any], in_dims: Any, out_dims: Any, args: Any) -> Any:
                return self.inner.vmap(func, in_dims, out_dims, *options, **more)(*args, **kwargs)

            self.depth += 1
            try:
                return self.mapped(run, func, in_dims, out_dims, args)
            finally:
                self.depth -= 1

        return spoiled

    mapped: Callable[..., Any]


class DimFault(VmapFault):
    """A fault in in_dims: override `in_dim`, which gets each dimension, its tensor and the number of members."""

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        dims = spread_in_dims(in_dims, args)
        n = size(dims, args)
        changed = tree_map(lambda dim, leaf: self.in_dim(dim.value, leaf, n), dims, args)
        asked = tree_map(lambda dim: dim.value, dims)
        return run(func, changed if repr(changed) != repr(asked) else in_dims, out_dims, args)

    in_dim: Callable[[int | None, Any, int], int | None]


class InputFault(VmapFault):
    """A fault in the inputs of the function: override `leaf`, which gets each leaf and its dimension."""

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        dims = spread_in_dims(in_dims, args)
        return run(func, in_dims, out_dims, tree_map(lambda dim, leaf: self.leaf(leaf, dim.value), dims, args))

    leaf: Callable[[Any, int | None], Any]


class OutDimFault(VmapFault):
    """A fault in out_dims: override `out_dim`, which gets each entry."""

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        return run(func, in_dims, tree_map(self.out_dim, out_dims), args)

    out_dim: Callable[[int | None], int | None]


class OutputFault(VmapFault):
    """A fault in outputs: override `output`, which gets each tensor."""

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        return tree_map(lambda leaf: self.output(leaf) if isinstance(leaf, Tensor) else leaf, out)

    output: Callable[[Tensor], Tensor]


def spread_in_dims(in_dims: Any, args: Any) -> Any:
    """Return in_dims with an entry for each leaf of the arguments."""
    return spread_dims(in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(args), args, "in_dims")


def size(dims: Any, args: Any) -> int:
    """Return the number of members, or -1 if the sizes disagree."""
    pairs = zip(leaves(dims, ""), leaves(args, ""), strict=True)
    sizes = {leaf.shape[dim.value] for (_, dim), (_, leaf) in pairs if dim.value is not None}
    return sizes.pop() if len(sizes) == 1 else -1
