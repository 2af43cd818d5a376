"""The reference for vmap: slice the mapped arguments, loop, stack the results.

No batching and nothing of torch.func: short enough to be checked by eye. Slow on purpose.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from conformance.utils.pytree import children, describe_structure, rebuild, tree_map


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0) -> Callable[..., Any]:
    """Call `func` once per slice of its mapped arguments and stack what it returns.

    `in_dims`: an int for all arguments, or a tuple with an entry for each: an int, None for "not mapped", or a
    container that matches it. `out_dims` likewise for what `func` returns. Keyword arguments are not mapped.
    """

    def mapped(*args: Any, **kwargs: Any) -> Any:
        dims = spread_dims(in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(args), args, "in_dims")
        size = _mapped_size(args, dims)
        # A loop over nothing has the shape of a loop over one slice, of which none is kept.
        args = args if size else tree_map(with_one_slice, dims, args)
        outputs = [func(*slice_args(args, dims, i), **kwargs) for i in range(size or 1)]
        return tree_map(
            lambda dim, *each: _stack(dim, size, each), spread_dims(out_dims, outputs[0], "out_dims"), *outputs
        )

    return mapped


def spread_dims(dims: Any, tree: Any, name: str) -> Any:
    """`dims` with an entry for each leaf of `tree`: one that stands over a container counts for all its leaves."""
    pairs, dim_pairs = children(tree), children(dims)
    if pairs is None and dim_pairs is None:
        return _Dim(dims)
    if pairs is not None and dim_pairs is None:
        return rebuild(tree, [spread_dims(dims, child, name) for _, child in pairs])
    dim_of = dict(dim_pairs or [])
    if pairs is None or type(dims) is not type(tree) or dim_of.keys() != dict(pairs).keys():
        raise ValueError(f"{name} {dims!r} does not match the structure {describe_structure(tree)}")
    return rebuild(tree, [spread_dims(dim_of[label], child, name) for label, child in pairs])


class _Dim:
    """One dimension or None, wrapped so that a tree of them keeps the structure that it was spread over."""

    def __init__(self, value: int | None) -> None:
        self.value = value


def slice_args(args: Any, dims: Any, i: int) -> Any:
    """`args` with slice `i` of every mapped leaf; slices are views, so that a write reaches the caller's tensor."""
    return tree_map(lambda dim, leaf: leaf if dim.value is None else leaf.select(dim.value, i), dims, args)


def _mapped_size(args: Any, dims: Any) -> int:
    sizes = set[int]()

    def visit(dim: _Dim, leaf: Any) -> None:
        if dim.value is not None and not isinstance(leaf, Tensor):
            raise ValueError(f"in_dims {dim.value} is for {leaf!r}, which is no tensor")
        if dim.value is not None:
            sizes.add(leaf.shape[dim.value])

    tree_map(visit, dims, args)
    if len(sizes) != 1:
        raise ValueError(f"the mapped dimensions must have one size, and have {sorted(sizes)}")
    return sizes.pop()


def with_one_slice(dim: _Dim, leaf: Any) -> Any:
    """A mapped tensor without slices, as it would be with one."""
    if dim.value is None:
        return leaf
    return leaf.new_zeros([max(size, int(d == dim.value % leaf.ndim)) for d, size in enumerate(leaf.shape)])


def _stack(dim: _Dim, size: int, outputs: Sequence[Any]) -> Any:
    if dim.value is None:
        return outputs[0]
    if not isinstance(outputs[0], Tensor):
        raise ValueError(f"out_dims {dim.value} is for {outputs[0]!r}, which is no tensor")  # noqa: TRY004 - as vmap
    return torch.stack(list(outputs), dim.value).narrow(dim.value, 0, size)
