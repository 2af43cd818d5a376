"""An implementation that records its last stack and its last `vmap` call."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from conformance.utils.pytree import tree_map


@dataclass(frozen=True)
class RecordedStack:
    """The result of `combine(models)`. `models`, `params` and `buffers` are copies made at the time of the call."""

    models: Sequence[nn.Module]
    fmodel: Callable[..., Any]
    params: Any
    buffers: Any


@dataclass(frozen=True)
class RecordedCall:
    """A call of a function that `vmap` returned. `inputs` are copies, as the call may write to the originals."""

    func: Callable[..., Any]
    in_dims: Any
    out_dims: Any
    randomness: str
    chunk_size: int | None
    inputs: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """The options of `vmap` without `chunk_size`."""
        return {"in_dims": self.in_dims, "out_dims": self.out_dims}


@dataclass
class Recorder:
    """A wrapper of `implementation` that records its last stack and last `vmap` call; nested calls are not recorded."""

    implementation: Any
    stack: RecordedStack | None = None
    call: RecordedCall | None = None
    depth: int = field(default=0, repr=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.implementation, name)

    def combine(self, models: Sequence[nn.Module]) -> Any:
        try:
            before = [copy.deepcopy(model) for model in models]
        except Exception:  # noqa: BLE001 - deepcopy of a module may raise any error
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
    ) -> "Mapped":
        mapped = self.implementation.vmap(func, in_dims, out_dims, randomness, chunk_size=chunk_size)
        return Mapped(self, func, in_dims, out_dims, randomness, chunk_size, mapped)


@dataclass(frozen=True, eq=False, repr=False)
class Mapped:
    """The function that `Recorder.vmap` returns: `mapped` is the implementation's, and a call of it is recorded."""

    recorder: Recorder
    func: Callable[..., Any]
    in_dims: Any
    out_dims: Any
    randomness: str
    chunk_size: int | None
    mapped: Callable[..., Any]

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        recorder = self.recorder
        if recorder.depth == 0:
            options = (self.func, self.in_dims, self.out_dims, self.randomness, self.chunk_size)
            recorder.call = RecordedCall(*options, tree_map(detached_copy, inputs), kwargs)
        recorder.depth += 1
        try:
            return self.mapped(*inputs, **kwargs)
        finally:
            recorder.depth -= 1


def detached_copy(leaf: Any) -> Any:
    """Return a copy of a tensor without its autograd history; other values unchanged."""
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf
