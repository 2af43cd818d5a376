"""The state of the random generators, which operations draw from unless they are given another one."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def library_states() -> dict[str, Any]:
    """Return the states of the global generators of Python and, if it is imported, of NumPy, by name."""
    return {name: get() for name, (get, _, _) in _libraries().items()}


@contextmanager
def seeded_libraries(number: int) -> Iterator[None]:
    """Seed the global generators of Python and NumPy, and restore their states afterwards."""
    libraries, saved = _libraries(), library_states()
    try:
        for _, _, seed_one in libraries.values():
            seed_one(number)
        yield
    finally:
        for name, (_, set_one, _) in libraries.items():
            set_one(saved[name])


Generator = tuple[Callable[[], Any], Callable[[Any], Any], Callable[[int], Any]]


def _libraries() -> dict[str, Generator]:
    """Return the functions that get, set and seed the global generator of each library."""
    found: dict[str, Generator] = {"Python's random": (random.getstate, random.setstate, random.seed)}
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "random"):
        found["NumPy"] = (lambda: _comparable(numpy.random.get_state()), numpy.random.set_state, numpy.random.seed)
    return found


def _comparable(numpy_state: Any) -> tuple[Any, ...]:
    """Return NumPy's state with a tuple in place of its array."""
    return tuple(tuple(each.tolist()) if hasattr(each, "tolist") else each for each in numpy_state)
