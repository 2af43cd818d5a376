"""The device type: its name, its devices, and their random generators."""

import functools
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from conformance.devices.simulated.memory import Memory

NAME = "standin"
COUNT = 2


class Devices(types.ModuleType):
    """The module torch.standin, the counterpart of torch.cuda."""

    def __init__(self) -> None:
        super().__init__(f"torch.{NAME}")
        self.generators = [torch.Generator().manual_seed(torch.initial_seed()) for _ in range(COUNT)]
        self.memories = [Memory() for _ in range(COUNT)]
        self.current = 0
        self.libraries: list[Any] = []  # as long as they live, torch sends here the calls for a simulated device

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def device_count(self) -> int:
        return COUNT

    def current_device(self) -> int:
        return self.current

    def set_device(self, device: Any) -> None:
        self.current = self.index(device)

    def synchronize(self, device: Any = None) -> None:
        """Nothing is ever under way."""
        self.index(device)

    def index(self, device: Any = None) -> int:
        """Return the index of a device given by number or name; None means the current one."""
        found = device if isinstance(device, int) else None if device is None else torch.device(device).index
        index = self.current if found is None else found
        if not 0 <= index < COUNT:
            raise RuntimeError(f"{NAME}: there is no device {index}, only {COUNT}")
        return index

    def memory_allocated(self, device: Any = None) -> int:
        return self.memories[self.index(device)].bytes

    def max_memory_allocated(self, device: Any = None) -> int:
        return self.memories[self.index(device)].peak

    def reset_peak_memory_stats(self, device: Any = None) -> None:
        self.memories[self.index(device)].reset()

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed(self, seed: int) -> None:
        self.generators[self.current].manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        for generator in self.generators:
            generator.manual_seed(seed)

    def get_rng_state(self, device: Any = None) -> Tensor:
        return self.generators[self.index(device)].get_state()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        self.generators[self.index(device)].set_state(state)


@contextmanager
def drawing_on(index: int) -> Iterator[None]:
    """For the body, the CPU draws from the generator of that device."""
    own, cpu = devices().generators[index], torch.default_generator
    kept = cpu.get_state()
    cpu.set_state(own.get_state())
    try:
        yield
    finally:
        own.set_state(cpu.get_state())
        cpu.set_state(kept)


@functools.cache
def devices() -> Devices:
    """torch.standin."""
    return Devices()
