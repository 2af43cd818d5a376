"""The state of the random generators, which operations draw from unless they are given another one."""

from typing import Any

import torch
from torch import Tensor


def state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the device's generator and of the CPU's, from which a function may draw for any device."""
    return {kind: _of(kind).get_rng_state() for kind in {"cpu": None, device.type: None}}


def restore(kept: dict[str, Tensor]) -> None:
    """Put the generators back to where they stood."""
    for kind, stood in kept.items():
        _of(kind).set_rng_state(stood)


def seed(device: torch.device, number: int) -> None:
    """Seed these two and no other device's, as torch.manual_seed would."""
    own = {"cpu": torch.default_generator}.get(device.type) or getattr(torch, device.type)
    for generator in (torch.default_generator, own):
        generator.manual_seed(number)


def _of(kind: str) -> Any:
    return torch if kind == "cpu" else getattr(torch, kind)
