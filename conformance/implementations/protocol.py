"""The protocol of an implementation under test: `combine`, `vmap` and, optionally, `functional_call`."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn

from conformance.utils.text import text_of


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


def unavailable_reason(implementation: Implementation) -> str | None:
    """Return the reason why this build of torch can't run the implementation, or None if it can."""
    ask = getattr(implementation, "unavailable", None)
    reason = ask() if ask is not None else None
    return text_of(reason) if reason else None


def lacks_attribute(module_name: str, attribute: str) -> str | None:
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        return f"this torch has no {module_name}"
    return None if hasattr(module, attribute) else f"this torch has no {module_name}.{attribute}"
