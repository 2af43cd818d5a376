"""Registers the simulated device type with torch, as a PrivateUse1 backend."""

import functools
from typing import Any

import torch
from torch.utils import backend_registration

from conformance.devices.simulated.backend import NAME, devices
from conformance.devices.simulated.tensor import compute


class UnavailableError(ImportError):
    """A torch that takes no backend in Python."""


@functools.cache
def register() -> None:
    """Tell torch of the device type, once. Raises UnavailableError where this torch takes no backend in Python."""
    set_up = getattr(backend_registration, "_setup_privateuseone_for_python_backend", None)
    if set_up is None:
        raise UnavailableError(f"torch {torch.__version__} takes no backend in Python; torch 2.10 and newer do")
    set_up(rename=NAME, backend_module=devices())
    library: Any = torch.library.Library
    fallback, copies = library("_", "IMPL"), library("aten", "IMPL")
    fallback.fallback(compute, "PrivateUse1")
    # torch.tensor copies past a tensor's class, and finds no fallback there.
    copies.impl("copy_", functools.partial(compute, torch.ops.aten.copy_.default), "PrivateUse1")
    devices().libraries = [fallback, copies]
