"""Whole calls of vmap, each compared with a loop over slices: function, arguments, dimensions and chunk size.

The values are small integers, whatever the dtype: sums and products of them are exact, so that vmap has to give what
the loop gives to the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from conformance.numerics.assertions import assert_same
from conformance.reference.vmap import vmap as reference_vmap
from conformance.utils.pytree import tree_map

__tracebackhide__ = True  # a failing comparison is shown in the test that asks for it

Device = torch.device | str

# Three sizes that differ, and three that do not: a mistake shows as an error in one and as a wrong value in the other.
BOX, CUBE = torch.arange(105.0).reshape(3, 5, 7), torch.arange(27.0).reshape(3, 3, 3)


class Pair(NamedTuple):
    """A named tuple for arguments and outputs."""

    left: Any
    right: Any


@dataclass(frozen=True)
class VmapCall:
    """``vmap(func, in_dims, out_dims, chunk_size=chunk_size)(*args)``.

    The call owns its tensors: each run gets copies of them on its device. A call that runs in a child process needs a
    function that can be imported there.
    """

    func: Callable[..., Any]
    args: tuple[Any, ...]
    in_dims: Any = 0
    out_dims: Any = 0
    chunk_size: int | None = None

    def arguments(self, device: Device = "cpu") -> tuple[Any, ...]:
        """Return copies of the arguments on the device."""
        return copies(self.args, device)

    def actual(self, implementation: Any, device: Device = "cpu") -> Any:
        """Return the implementation's result."""
        options = {} if self.chunk_size is None else {"chunk_size": self.chunk_size}
        return implementation.vmap(self.func, self.in_dims, self.out_dims, **options)(*self.arguments(device))

    def expected(self, device: Device = "cpu") -> Any:
        """Return the loop's result."""
        return reference_vmap(self.func, self.in_dims, self.out_dims)(*self.arguments(device))


@dataclass(frozen=True)
class NestedCall:
    """``vmap(vmap(func, *inner), *outer)(*args)``; `inner` and `outer` are (in_dims, out_dims)."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    inner: tuple[Any, Any]
    outer: tuple[Any, Any]

    def actual(self, implementation: Any, device: Device = "cpu") -> Any:
        """Return the implementation's result."""
        return self._run(implementation.vmap, device)

    def expected(self, device: Device = "cpu") -> Any:
        """Return the result of two nested loops."""
        return self._run(reference_vmap, device)

    def _run(self, vmap: Callable[..., Any], device: Device) -> Any:
        return vmap(vmap(self.func, *self.inner), *self.outer)(*copies(self.args, device))


def copies(args: tuple[Any, ...], device: Device) -> tuple[Any, ...]:
    """Return the arguments with copies of their tensors on the device; one tensor that is passed twice stays one."""
    made: dict[int, Tensor] = {}

    def copied(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        if id(leaf) not in made:
            made[id(leaf)] = _copy(leaf, device)
        return made[id(leaf)]

    tree: tuple[Any, ...] = tree_map(copied, args)
    return tree


def _copy(tensor: Tensor, device: Device) -> Tensor:
    """Return a copy on the device in the same layout: its shape, strides and offset."""
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    size = tensor.storage_offset() + 1 + last if tensor.numel() else 0
    memory = tensor.as_strided((size,), (1,), 0).clone().to(device)
    return memory.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def assert_is_the_loop(implementation: Any, call: VmapCall | NestedCall, device: Device = "cpu") -> None:
    """Assert that the implementation's result is bitwise the loop's."""
    assert_same(call.actual(implementation, device), call.expected(device), "output")
