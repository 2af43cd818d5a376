"""Every name of a module's tensors, tied ones too: `remove_duplicate` of torch's own is new in 2.0."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


def parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """`(name, parameter)`, in the order of `named_parameters`; tied names hold the same one."""
    return _named(model, "_parameters")


def buffers(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """`(name, buffer)`, in the order of `named_buffers`."""
    return _named(model, "_buffers")


def _named(model: nn.Module, kind: str) -> Iterator[tuple[str, Any]]:
    for path, module in model.named_modules(remove_duplicate=False):
        for name, tensor in getattr(module, kind).items():
            if tensor is not None:
                yield f"{path}.{name}" if path else name, tensor
