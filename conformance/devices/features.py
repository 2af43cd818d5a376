"""Second devices for tensors, and features that only some devices have: streams, graphs, memory statistics.

What a device lacks is found by using it; a test that is given one of these is not applicable where it does.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from conformance.devices import probe
from conformance.utils.probing import ask, without_warnings
from conformance.utils.text import describe_error


@dataclass(frozen=True)
class SecondDevice:
    """Another device, `beside` the one under test."""

    name: str
    beside: Callable[[torch.device], torch.device]

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the reason why there is no such device, or None if there is."""
        return ask(self._unavailable_reason, device)

    def _unavailable_reason(self, device: torch.device) -> str | None:
        problem = probe.device_failure(self.beside(device))
        if problem is None and _where(self.beside(device)) == _where(device):
            return f"{device} has no {self.name} beside it"
        return problem

    def __str__(self) -> str:
        return self.name


CPU = SecondDevice("cpu", lambda _: torch.device("cpu"))
NEXT = SecondDevice("next", lambda device: torch.device(device.type, (device.index or 0) + 1))


@dataclass(frozen=True)
class DeviceFeature:
    """A part of what torch.cuda is for CUDA, used by `use`."""

    name: str
    use: Callable[[Any, torch.device], Any]

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return torch's reason why the device lacks this feature, or None if it is available."""
        try:
            with without_warnings():
                self.use(device_namespace(device), device)
        except Exception as error:  # noqa: BLE001 - what a device can't do it says in any way it likes
            return f"{device} has no {self.name}: {describe_error(error)}"
        return None

    def __str__(self) -> str:
        return self.name


def device_namespace(device: torch.device) -> Any:
    """Return the namespace of the device type, such as torch.cuda."""
    return getattr(torch, device.type)


@contextmanager
def on_a_stream(device: torch.device) -> Iterator[None]:
    """For the body, work goes to a stream that is not the default one, and is awaited at its end."""
    module = device_namespace(device)
    stream = module.Stream(device) if device.type != "cpu" else module.Stream()
    module.synchronize()
    with module.stream(stream):
        yield
    module.synchronize()


def _use_stream(_: Any, device: torch.device) -> None:
    with on_a_stream(device):
        torch.ones(3, device=device).sum()


def capture_graph(device: torch.device, func: Callable[[], Tensor]) -> tuple[Any, Tensor]:
    """A graph of what `func` does on the device, and the tensor that a replay writes to."""
    module = device_namespace(device)
    with on_a_stream(device):
        func()  # what is set up at a first call can't be captured
    graph = module.CUDAGraph()
    with module.graph(graph):
        out = func()
    return graph, out


def _use_graph(_: Any, device: torch.device) -> None:
    capture_graph(device, lambda: torch.ones(3, device=device) + 1)


def allocated_bytes(device: torch.device) -> int:
    """Bytes that tensors on the device take now."""
    gc.collect()
    return int(device_namespace(device).memory_allocated(device))


def peak_bytes(device: torch.device, func: Callable[[], Any]) -> int:
    """Bytes that tensors on the device take while `func` runs, at most, beyond those that they take before."""
    before = allocated_bytes(device)
    device_namespace(device).reset_peak_memory_stats(device)
    func()
    return int(device_namespace(device).max_memory_allocated(device)) - before


STREAMS = DeviceFeature("streams", _use_stream)
GRAPHS = DeviceFeature("graphs", _use_graph)
SYNCHRONIZE = DeviceFeature("synchronize", lambda module, _: module.synchronize())
MEMORY = DeviceFeature(
    "count of its memory", lambda _, device: peak_bytes(device, lambda: torch.ones(3, device=device))
)


def _where(device: torch.device) -> torch.device:
    return torch.empty(0, device=device).device
