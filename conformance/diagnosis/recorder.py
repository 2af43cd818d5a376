"""An implementation that remembers what it stacked and how it was called."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from conformance.utils.pytree import tree_map


@dataclass(frozen=True)
class RecordedStack:
    """What `combine` made of `models`, and they: copies, as they were then."""

    models: Sequence[nn.Module]
    fmodel: Callable[..., Any]
    params: Any
    buffers: Any


@dataclass(frozen=True)
class RecordedCall:
    """A call of what `vmap` made. `inputs` are copies: it may have written to the originals."""

    func: Callable[..., Any]
    in_dims: Any
    out_dims: Any
    randomness: str
    chunk_size: int | None
    inputs: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """vmap's, but for how it is to be cut into chunks."""
        return {"in_dims": self.in_dims, "out_dims": self.out_dims}


@dataclass
class Recorder:
    """`implementation`, with its last stack and its last call of vmap. A call inside another one is a part of that."""

    implementation: Any
    stack: RecordedStack | None = None
    call: RecordedCall | None = None
    depth: int = field(default=0, repr=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.implementation, name)

    def combine(self, models: Sequence[nn.Module]) -> Any:
        try:
            before = [copy.deepcopy(model) for model in models]
        except Exception:  # noqa: BLE001 - not every module can be copied
            before = []
        fmodel, params, buffers = self.implementation.combine(models)
        self.stack = RecordedStack(before, fmodel, tree_map(detached_copy, params), tree_map(detached_copy, buffers))
        return fmodel, params, buffers

    def vmap(
        self,
        func: Callable[..., Any],
        in_dims: Any = 0,
        out_dims: Any = 0,
        randomness: str = "error",
        *,
        chunk_size: int | None = None,
    ) -> Callable[..., Any]:
        mapped = self.implementation.vmap(func, in_dims, out_dims, randomness, chunk_size=chunk_size)

        def recorded(*inputs: Any, **kwargs: Any) -> Any:
            if self.depth == 0:
                self.call = RecordedCall(
                    func, in_dims, out_dims, randomness, chunk_size, tree_map(detached_copy, inputs), kwargs
                )
            self.depth += 1
            try:
                return mapped(*inputs, **kwargs)
            finally:
                self.depth -= 1

        return recorded


def detached_copy(leaf: Any) -> Any:
    """A tensor's numbers, without its history."""
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf
