"""The legacy API of functorch as an implementation."""

import importlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from conformance.implementations.protocol import lacks_attribute


class Functorch:
    """The legacy functorch: combine_state_for_ensemble and functorch.vmap, as the original example has them."""

    name = "functorch"

    def unavailable(self) -> str | None:
        return lacks_attribute("functorch", "combine_state_for_ensemble")

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        with _without_deprecation():
            return importlib.import_module("functorch").combine_state_for_ensemble(models)

    def vmap(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        with _without_deprecation():
            return importlib.import_module("functorch").vmap(func, *args, **kwargs)


@contextmanager
def _without_deprecation() -> Iterator[None]:
    """Hide the deprecation warning of the legacy API; the suite tests whether the API still works."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="We've integrated functorch into PyTorch")
        yield
