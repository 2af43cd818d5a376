"""Base classes of faults in torch itself: a patch for as long as the implementation is judged."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from conformance.faults.base.derivative import inside_vmap
from conformance.faults.base.fault import Fault


class PatchedFault(Fault):
    """A fault in an attribute of torch: `patched(original)` replaces the `attribute` of `owner`."""

    owner: Any
    attribute: str
    patched: Callable[[Any], Any]

    def fault_active(self) -> AbstractContextManager[Any]:
        return patch.object(self.owner, self.attribute, self.patched(getattr(self.owner, self.attribute)))


class PatchedInsideVmap(PatchedFault):
    """A fault in a function of torch inside vmap only: override `spoiled`, which gets it and its arguments."""

    owner: Any = torch
    spoiled: Callable[..., Any]

    def patched(self, original: Any) -> Any:
        def called(*args: Any, **options: Any) -> Any:
            return self.spoiled(original, *args, **options) if inside_vmap() else original(*args, **options)

        return called


def is_mapped(tensor: Tensor) -> bool:
    return torch._C._functorch.is_batchedtensor(tensor)  # noqa: SLF001 - torch tells it nowhere else


def has_escaped(tensor: Tensor) -> bool:
    return is_mapped(tensor) and not inside_vmap()


def unwrap(tensor: Tensor) -> Tensor:
    """Return all members' values of a tensor that escaped from vmap; any other tensor as it is."""
    return torch._C._functorch.get_unwrapped(tensor) if has_escaped(tensor) else tensor  # noqa: SLF001 - likewise
