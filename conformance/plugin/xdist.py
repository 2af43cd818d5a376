"""The placement of pytest-xdist workers: one per GPU, or as many on one GPU as its memory allows."""

import os
from collections.abc import Sequence
from typing import Any

import pytest

from conformance.devices import cuda
from conformance.devices.probe import choose_device

VISIBLE = "CUDA_VISIBLE_DEVICES"


def take(config: pytest.Config) -> None:
    """In a worker, before torch is imported: see the GPUs that the controller has given it."""
    seen = getattr(config, "workerinput", {}).get(VISIBLE)
    if seen is not None:
        os.environ[VISIBLE] = seen


def place(config: pytest.Config) -> None:
    """In the controller of workers that are all to compute on "cuda": give each its own GPU."""
    gpus = cuda.visible_gpus(os.environ.get(VISIBLE), cuda.count_gpus()) if config.option.device == "cuda" else []
    if gpus:
        config.pluginmanager.register(Placement(gpus), "conformance-placement")


def most_workers(config: pytest.Config, processors: int) -> int:
    """Return how many of the workers the devices have memory for; `-n NUMBER` overrides it."""
    try:
        device = choose_device(config.option.device, os.environ)
    except ValueError:
        return processors  # the mistake is told when the options are checked
    if device.partition(":")[0] == "cpu":
        return processors
    devices = max(1, cuda.count_gpus()) if device == "cuda" else 1
    return min(processors, devices * cuda.WORKERS_A_GPU)


class Placement:
    """Hooks of xdist's controller.

    A worker's own GPU is the first that it sees, the one on which the fewest workers live. It sees the next one too,
    for what is asked of two devices.
    """

    def __init__(self, gpus: Sequence[str]) -> None:
        self.gpus = gpus
        self.own: dict[str, int] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        index = min(range(len(self.gpus)), key=list(self.own.values()).count)
        self.own[node.gateway.id] = index
        # Not twice the same, where there is one: the driver would stop at the second.
        node.workerinput[VISIBLE] = ",".join([*self.gpus[index:], *self.gpus[:index]][:2])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.own.pop(node.gateway.id, None)
