"""Base classes of faults: an implementation that passes everything on, to be overridden in one place."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn


class Fault:
    """An implementation around another one, `inner`; the docstring of a subclass says what it does wrong.

    - `breaks`: the requirement that must fail
    - `also`: patterns of others that may fail, since they rest on the same behaviour; everything else must pass
    - `judged_on`, `device`: the implementation and the device on which the kill matrix injects it
    - `in_children`: True if only tests that run in a child process see it
    - `shown_by`: a part of the names of the cases that show it, where its requirement has hundreds
    """

    breaks: str = ""
    also: tuple[str, ...] = ()
    judged_on: str = "torch.func"
    device: str = "cpu"
    in_children: bool = False
    shown_by: str = ""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.name = inner.name

    def __getattr__(self, name: str) -> Any:
        """Return an attribute that only some implementations have, such as functional_call, from the inner one."""
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def fault_active(self) -> AbstractContextManager[Any]:
        """Return a context in which torch itself is patched, for as long as this implementation is judged."""
        return nullcontext()

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        return self.inner.combine(models)

    def vmap(self, func: Callable[..., Any], in_dims: Any = 0, *options: Any, **more: Any) -> Callable[..., Any]:
        """Return the mapped function, with `given` applied to its inputs and `returned` to its outputs."""

        def spoiled(*args: Any, **kwargs: Any) -> Any:
            dims, taken = self.given(in_dims, args)
            return self.returned(self.inner.vmap(func, dims, *options, **more)(*taken, **kwargs), args)

        return spoiled

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        return in_dims, args

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002 - for those who override it
        return out


class StackFault(Fault):
    """A fault in the stacked state: override `stacked`, which gets each stacked tensor and returns another."""

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        if not isinstance(params, dict):
            return fmodel, tuple(map(self.stacked_parameter, params)), tuple(map(self.stacked_buffer, buffers))
        params = {name: self.stacked_parameter(tensor) for name, tensor in params.items()}
        return fmodel, params, {name: self.stacked_buffer(tensor) for name, tensor in buffers.items()}

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        changed = self.stacked(tensor)
        return changed if changed is tensor else changed.detach().requires_grad_(tensor.requires_grad)

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        return self.stacked(tensor)

    def stacked(self, tensor: Tensor) -> Tensor:
        return tensor


class CallFault(Fault):
    """A fault in functional_call: override `call`, which gets its arguments."""

    call: Callable[..., Any]

    def functional_call(self, module: nn.Module, state: Any, args: Any = (), kwargs: Any = None, **options: Any) -> Any:
        return self.call(module, state, args, kwargs, options)


def merge_dicts(state: Any) -> dict[str, Any]:
    """Return the state as one dict, given one or several."""
    return dict(state) if isinstance(state, Mapping) else {name: t for one in state for name, t in one.items()}


def to_dicts(state: Any) -> list[Any]:
    return [state] if isinstance(state, Mapping) else list(state)


def to_tuple(args: Any) -> tuple[Any, ...]:
    return args if isinstance(args, tuple) else (args,)


def requires_grad(state: Any) -> bool:
    return any(getattr(tensor, "requires_grad", False) for tensor in merge_dicts(state).values())


def count_members(args: Any) -> int:
    """Return the number of members in a call of the ensemble."""
    params = args[0].values() if isinstance(args[0], dict) else args[0]
    return next(iter(params)).shape[0]
