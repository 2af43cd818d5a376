"""Settings of torch that numbers may hang on: threads, deterministic algorithms, and what `torch.backends` offers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import torch

from conformance.utils.probing import without_warnings


@dataclass(frozen=True)
class Threads:
    """A number of threads of the CPU."""

    count: int

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the reason why it makes no difference on this device, or None."""
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


# Whether autocast is on, and to which dtype, for the CPU and for the others. torch 2.4 put four functions into two.
AUTOCAST: tuple[Callable[[], Any], ...] = (
    tuple(
        partial(ask, kind) for ask in (torch.is_autocast_enabled, torch.get_autocast_dtype) for kind in ("cpu", "cuda")
    )
    if hasattr(torch, "get_autocast_dtype")
    else (
        torch.is_autocast_enabled,
        torch.get_autocast_gpu_dtype,
        torch.is_autocast_cpu_enabled,
        torch.get_autocast_cpu_dtype,
    )
)
# A torch that has `fp32_precision` refuses to tell `allow_tf32` once both are in use: one of the two alone.
BACKENDS: Any = torch.backends
FP32_PRECISION = hasattr(BACKENDS.cudnn, "conv")
PLACES: Mapping[str, str] = {
    "cudnn.enabled": "cudnn.enabled",
    "cudnn.benchmark": "cudnn.benchmark",
    "cudnn.deterministic": "cudnn.deterministic",
    "onednn.enabled": "mkldnn.enabled",
    **(
        {
            "tf32.matmul": "cuda.matmul.fp32_precision",
            "tf32.conv": "cudnn.conv.fp32_precision",
            "onednn.matmul": "mkldnn.matmul.fp32_precision",
        }
        if FP32_PRECISION
        else {"tf32.matmul": "cuda.matmul.allow_tf32", "tf32.conv": "cudnn.allow_tf32"}
    ),
}
TF32: Mapping[bool, Any] = {False: "ieee", True: "tf32"} if FP32_PRECISION else {False: False, True: True}


def find_flags(places: Mapping[str, str]) -> Mapping[str, tuple[Any, str]]:
    """Return the flags that this torch has as (owner, attribute), by name; `places` are paths in torch.backends."""
    found = {}
    for name, place in places.items():
        path, _, attribute = place.rpartition(".")
        with suppress(Exception), without_warnings():
            owner = attrgetter(path)(BACKENDS)
            getattr(owner, attribute)
            found[name] = owner, attribute
    return MappingProxyType(found)


FLAGS = find_flags(PLACES)


def read_flags() -> dict[str, Any]:
    """Return the values of `FLAGS`."""
    with without_warnings():
        return {name: getattr(*flag) for name, flag in FLAGS.items()}


@contextmanager
def set_flags(**values: Any) -> Iterator[None]:
    """`FLAGS` by name, with an underscore for the dot, set to these values for the body."""
    before = read_flags()
    try:
        _write_flags({name.replace("_", ".", 1): value for name, value in values.items()})
        yield
    finally:
        _write_flags(before)


def _write_flags(values: Mapping[str, Any]) -> None:
    with without_warnings():
        for name, value in values.items():
            setattr(*FLAGS[name], value)


@contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    """torch.set_float32_matmul_precision for the body. It sets other flags too, which are put back with it."""
    with without_warnings():
        before = torch.get_float32_matmul_precision()
    with set_flags():
        _write_matmul_precision(precision)
        try:
            yield
        finally:
            _write_matmul_precision(before)


def _write_matmul_precision(precision: str) -> None:
    with without_warnings():
        torch.set_float32_matmul_precision(precision)


def read_settings() -> dict[str, Any]:
    """Return the current settings."""
    with without_warnings():
        return {
            **read_flags(),
            "threads": torch.get_num_threads(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
            "dtype": torch.get_default_dtype(),
            "gradients": torch.is_grad_enabled(),
            "inference": torch.is_inference_mode_enabled(),
            "autocast": [on() for on in AUTOCAST],
            "anomaly": torch.is_anomaly_enabled(),
        }
