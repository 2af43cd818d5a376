"""Settings of torch that numbers may hang on: how many threads, and whether algorithms have to be deterministic."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Threads:
    """A number of threads of the CPU."""

    count: int

    def lacks(self, device: torch.device) -> str | None:
        """Why it makes no difference on this device, or None."""
        return None if device.type == "cpu" else f"threads are the CPU's, and this is {device.type}"

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """For the body, torch computes with this number of threads."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.count)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def __str__(self) -> str:
        return f"{self.count}-threads"


@contextmanager
def deterministic(enabled: bool = True, *, warn_only: bool = False) -> Iterator[None]:
    """torch.use_deterministic_algorithms for the body, and as it was after it."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def settings() -> dict[str, Any]:
    """What is set."""
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
    }
