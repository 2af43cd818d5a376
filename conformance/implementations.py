"""What is under test: two functions, `combine` and `vmap`, and where there is one, `functional_call`."""

import copy
import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from conformance import reference
from conformance.compiling import AOT_EAGER, EAGER, INDUCTOR, Compiler


@runtime_checkable
class Implementation(Protocol):
    """A way to run many modules as one. Name yours with ``--implementation package.module:Name``.

    Optional: `functional_call`, with the signature of torch.func's; requirements that need it are otherwise not
    applicable. Optional: `unavailable()`, a sentence if this build of torch lacks what it takes, else None.
    """

    name: str

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        """`(fmodel, params, buffers)`.

        `params` and `buffers` hold the members' tensors stacked along a new first dimension: by name in a dict, or as
        a tuple in the order of `named_parameters` and `named_buffers`. `fmodel(params, buffers, *args, **kwargs)` is
        the module's forward with one member's slice of them.
        """
        ...

    def vmap(
        self,
        func: Callable[..., Any],
        in_dims: Any = 0,
        out_dims: Any = 0,
        randomness: str = "error",
        *,
        chunk_size: int | None = None,
    ) -> Callable[..., Any]:
        """As torch.func.vmap."""
        ...


class TorchFunc:
    """torch.func: stack_module_state, functional_call and vmap, on a base module that stays on its device.

    torch is looked up at each call, so that a patched torch is the one that is judged; and as an attribute, since
    torch.compile traces no import.
    """

    name = "torch.func"

    def unavailable(self) -> str | None:
        return _lacks("torch.func", "stack_module_state")

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        params, buffers = torch.func.stack_module_state(models)
        base = copy.deepcopy(models[0])

        def fmodel(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            return self.functional_call(base, (params, buffers), args, kwargs)

        return fmodel, params, buffers

    def vmap(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        return torch.func.vmap(func, *args, **kwargs)

    def functional_call(self, module: nn.Module, state: Any, *args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(module, state, *args, **kwargs)


class Compiled(TorchFunc):
    """torch.func under torch.compile: each call that is mapped is compiled, in parts or not at all where it can't be.

    It is compiled by aot_eager, which takes every step of the compiler but the last one: inductor writes machine code,
    seconds for every graph, and a whole suite of it would take hours (`CompiledInductor`, for a chapter).
    `compiler` counts what was compiled and what was run of that.
    """

    name = "compiled"
    backend = AOT_EAGER

    def __init__(self) -> None:
        self.compiler = Compiler(self.backend, fullgraph=False)

    def unavailable(self) -> str | None:
        return super().unavailable() or self.backend.lacks(torch.device("cpu"))

    def vmap(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        mapped = super().vmap(func, *args, **kwargs)
        # What is mapped inside is compiled with what is around it.
        return mapped if torch.compiler.is_compiling() else self.compiler(mapped)


class CompiledEager(Compiled):
    """The same, of which only the tracer is judged: it runs what was traced as it is."""

    name = "compiled-eager"
    backend = EAGER


class CompiledInductor(Compiled):
    """The same in machine code."""

    name = "compiled-inductor"
    backend = INDUCTOR


class Functorch:
    """The legacy functorch: combine_state_for_ensemble and functorch.vmap, as the original example has them."""

    name = "functorch"

    def unavailable(self) -> str | None:
        return _lacks("functorch", "combine_state_for_ensemble")

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        with _without_deprecation():
            return importlib.import_module("functorch").combine_state_for_ensemble(models)

    def vmap(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        with _without_deprecation():
            return importlib.import_module("functorch").vmap(func, *args, **kwargs)


class Reference:
    """The reference as an implementation: every test must pass on it, whatever torch does."""

    name = "reference"

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        return reference.combine(models)

    def vmap(
        self,
        func: Callable[..., Any],
        in_dims: Any = 0,
        out_dims: Any = 0,
        randomness: str = "error",
        *,
        chunk_size: int | None = None,  # noqa: ARG002 - a loop is already in chunks of one
    ) -> Callable[..., Any]:
        """A loop draws as its members draw, and in mode "same" each from where the first one did."""
        if randomness != "same":
            return reference.vmap(func, in_dims, out_dims)

        def mapped(*args: Any, **kwargs: Any) -> Any:
            stood = torch.get_rng_state()

            def from_there(*args: Any, **kwargs: Any) -> Any:
                torch.set_rng_state(stood)
                return func(*args, **kwargs)

            return reference.vmap(from_there, in_dims, out_dims)(*args, **kwargs)

        return mapped

    def functional_call(self, module: nn.Module, state: Any, *args: Any, **kwargs: Any) -> Any:
        return reference.functional_call(module, state, *args, **kwargs)


BUILT_IN: dict[str, type[Any]] = {
    each.name: each for each in (TorchFunc, Functorch, Reference, Compiled, CompiledEager, CompiledInductor)
}
DEFAULT = (TorchFunc.name, Functorch.name)


def load(name: str) -> Implementation:
    """A built-in implementation by name, or anyone's own as ``package.module:Name`` (a class, or an object).

    This imports the module, which runs its code. Raises ValueError with one line that says what is wrong.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(f"{name!r} is none of {', '.join(BUILT_IN)}, and not of the form package.module:Name")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        made = found() if isinstance(found, type) else found
    except Exception as error:
        raise ValueError(f"{name!r} does not load: {type(error).__name__}: {error}") from error
    if not all(callable(getattr(made, method, None)) for method in ("combine", "vmap")):
        raise ValueError(f"{name!r} has no combine and vmap, which an implementation needs")
    if not isinstance(getattr(made, "name", None), str):
        made.name = name
    return made


def unavailable(implementation: Implementation) -> str | None:
    """Why this build of torch can't run it, or None."""
    ask = getattr(implementation, "unavailable", None)
    return ask() if ask is not None else None


def by_name(stacked: Any, named: Sequence[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Stacked parameters or buffers as a dict; a tuple takes its names from `named`, in order."""
    if isinstance(stacked, Mapping):
        return dict(stacked)
    return dict(zip([name for name, _ in named], stacked, strict=True))


@contextmanager
def _without_deprecation() -> Iterator[None]:
    """That the legacy API is deprecated is known; whether it still works is the question."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="We've integrated functorch into PyTorch")
        yield


def _lacks(module_name: str, attribute: str) -> str | None:
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        return f"this torch has no {module_name}"
    return None if hasattr(module, attribute) else f"this torch has no {module_name}.{attribute}"
