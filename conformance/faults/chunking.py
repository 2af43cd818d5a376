"""Faults for the chapter `chunking`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.faults.base.fault import Fault
from conformance.faults.base.vmap import size, spread_in_dims
from conformance.utils.pytree import leaves, tree_map


class ChunkFault(Fault):
    """A fault in chunks: override `chunked`, which gets a call with a chunk size and how to run it."""

    def vmap(
        self, func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, *options: Any, **more: Any
    ) -> Callable[..., Any]:
        chunk_size = more.get("chunk_size")
        if chunk_size is None:
            return self.inner.vmap(func, in_dims, out_dims, *options, **more)

        def spoiled(*args: Any) -> Any:
            def run(*changed: Any, **other: Any) -> Any:
                return self.inner.vmap(func, in_dims, out_dims, *options, **{**more, **other})(*changed)

            return self.chunked(run, in_dims, out_dims, args, chunk_size)

        return spoiled

    chunked: Callable[..., Any]


def take_chunk(dim: Any, leaf: Any, start: int, length: int) -> Any:
    """Return one chunk of a leaf."""
    return leaf if dim.value is None else leaf.narrow(dim.value, start, length)


class LastShortChunkLost(ChunkFault):
    """A last chunk that is shorter than the others is not run; its members are zero."""

    breaks = "chunking.any_size"
    also = ("chunking.*", "nesting.exception")

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:
        n = size(spread_in_dims(in_dims, args), args)
        out, short = run(*args), n % chunk_size if n > chunk_size else 0
        if not short or not isinstance(out_dims, int):
            return out
        return tree_map(lambda leaf: zero_from(leaf, out_dims, n - short), out)


def zero_from(leaf: Tensor, dim: int, start: int) -> Tensor:
    """Return the tensor with zeros from `start` on."""
    kept = leaf.narrow(dim, 0, start)
    return torch.cat([kept, torch.zeros_like(leaf.narrow(dim, start, leaf.shape[dim] - start))], dim)


class SharedInputsChunked(ChunkFault):
    """Inputs under None are moved on by one in every call in chunks."""

    breaks = "chunking.in_dims"
    also = ("chunking.*",)

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:  # noqa: ARG002
        dims = spread_in_dims(in_dims, args)
        return run(*tree_map(lambda dim, leaf: leaf.roll(1, 0) if rolls(dim, leaf) else leaf, dims, args))


def rolls(dim: Any, leaf: Any) -> bool:
    """Return True for a shared input with at least two slices to move."""
    return dim.value is None and isinstance(leaf, Tensor) and leaf.ndim > 0 and leaf.shape[0] > 1


class ChunksJoinedInFront(ChunkFault):
    """Chunks are joined along the first dimension, even if the members are elsewhere."""

    breaks = "chunking.out_dims"
    also = ("chunking.none_outputs", "chunking.any")

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:
        dims = spread_in_dims(in_dims, args)
        n = size(dims, args)
        if out_dims == 0 or n <= chunk_size:
            return run(*args)
        starts = range(0, n, chunk_size)
        pieces = [
            run(
                *tree_map(lambda dim, leaf, i=i: take_chunk(dim, leaf, i, min(chunk_size, n - i)), dims, args),
                chunk_size=None,
            )
            for i in starts
        ]
        return tree_map(lambda *each: torch.cat(each), *pieces)


class NoneOutputsOfChunksRefused(ChunkFault):
    """Outputs under None are refused in chunks."""

    breaks = "chunking.none_outputs"
    judged_on = "reference"

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:  # noqa: ARG002
        if any(dim is None for _, dim in leaves(out_dims, "")):
            raise TypeError("cat(): argument 'dim' must be int, not NoneType")
        return run(*args)


class ConstantsOfTheFirstChunk(ChunkFault):
    """An output that is not mapped is zero from the second chunk on."""

    breaks = "chunking.constants"
    also = ("chunking.bounds_the_work", "chunking.ensemble", "chunking.any")

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:
        out = run(*args)
        whole = run(*args, chunk_size=None)
        if out_dims != 0 or size(spread_in_dims(in_dims, args), args) <= chunk_size:
            return out
        # A constant is expanded over the members where nothing was joined.
        return tree_map(lambda leaf, one: zero_from(leaf, 0, chunk_size) if one.stride(0) == 0 else leaf, out, whole)


class NoMembersInChunksRefused(ChunkFault):
    """An ensemble without members is refused in chunks."""

    breaks = "chunking.empty"
    judged_on = "reference"

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:  # noqa: ARG002
        assert size(spread_in_dims(in_dims, args), args) > 0, "arg_spec must not be None"
        return run(*args)


class ChunkSizeIgnored(ChunkFault):
    """All members are run at once, at any chunk size."""

    breaks = "chunking.bounds_the_work"
    also = ("chunking.none_outputs", "chunking.empty", "errors.chunk_size_*")

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:  # noqa: ARG002
        return run(*args, chunk_size=None)


class BufferUpdatesOfChunksLost(ChunkFault):
    """In chunks the function works on copies of the buffers."""

    breaks = "chunking.ensemble"

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:  # noqa: ARG002
        ensemble = len(args) == 3 and isinstance(args[1], dict)
        return run(args[0], tree_map(torch.clone, args[1]), args[2]) if ensemble else run(*args)


class LastChunkDetached(ChunkFault):
    """No gradient flows through the last chunk."""

    breaks = "chunking.gradients"

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:  # noqa: ARG002
        out = run(*args)
        if out_dims != 0 or not isinstance(out, Tensor) or not out.requires_grad:
            return out
        start = (len(out) - 1) // chunk_size * chunk_size
        return torch.cat([out[:start], out[start:].detach()])


class ComplexChunksScaled(ChunkFault):
    """Complex outputs of chunks come back doubled."""

    breaks = "chunking.any"

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:  # noqa: ARG002
        return tree_map(lambda leaf: leaf * 2 if leaf.is_complex() else leaf, run(*args))
