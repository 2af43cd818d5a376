"""The state of a device's own random generator, which operations draw from unless they are given another one."""

from typing import Any

import torch
from torch import Tensor


def state(device: torch.device) -> Tensor:
    """Where the generator stands."""
    found: Tensor = _of(device).get_rng_state()
    return found


def restore(device: torch.device, kept: Tensor) -> None:
    """Put the generator back to where it stood."""
    _of(device).set_rng_state(kept)


def _of(device: torch.device) -> Any:
    return torch if device.type == "cpu" else getattr(torch, device.type)
