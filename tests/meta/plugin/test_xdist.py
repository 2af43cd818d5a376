"""Do the workers spread over the GPUs that the caller shows, and no more of them than there is memory for?"""

import os
from types import SimpleNamespace

import pytest

from conformance.devices import cuda
from conformance.devices.probe import FOR_CUSTOM, ONLY_FOR
from conformance.plugin import xdist
from conformance.plugin.xdist import VISIBLE, Placement


class Config(SimpleNamespace):
    """What placing needs of pytest's: an option, and a plugin manager that remembers."""

    def __init__(self, device, **facts):
        self.registered = []
        manager = SimpleNamespace(register=lambda plugin, name: self.registered.append(plugin))
        super().__init__(option=SimpleNamespace(device=device), pluginmanager=manager, **facts)


def start(placement, name):
    """What a new worker of that name sees."""
    node = SimpleNamespace(gateway=SimpleNamespace(id=name), workerinput={})
    placement.pytest_configure_node(node)
    return node.workerinput[VISIBLE]


def stop(placement, name):
    placement.pytest_testnodedown(SimpleNamespace(gateway=SimpleNamespace(id=name)))


def test_workers_go_round_the_gpus_and_see_a_second_one():
    placement = Placement(["2", "GPU-8a", "5"])

    assert [start(placement, f"gw{i}") for i in range(4)] == ["2,GPU-8a", "GPU-8a,5", "5,2", "2,GPU-8a"]


def test_workers_share_the_only_gpu():
    placement = Placement(["3"])

    assert [start(placement, f"gw{i}") for i in range(3)] == ["3", "3", "3"]


def test_who_replaces_a_dead_worker_gets_its_gpu():
    placement = Placement(["0", "1"])
    for name in ("gw0", "gw1", "gw2", "gw3"):
        start(placement, name)

    stop(placement, "gw1")
    stop(placement, "never-started")

    assert start(placement, "gw4") == "1,0"


@pytest.mark.parametrize(
    ("device", "gpus", "listed", "placed"),
    [
        ("cuda", 2, None, ["0", "1"]),
        ("cuda", 1, "7,6", ["7"]),
        ("cuda", 0, None, None),
        ("cuda:1", 2, None, None),
        ("cpu", 2, None, None),
        ("xpu", 2, None, None),
    ],
)
def test_only_cuda_is_spread_and_not_one_gpu_asked_for_by_number(monkeypatch, device, gpus, listed, placed):
    monkeypatch.setattr(cuda, "count_gpus", lambda: gpus)
    monkeypatch.delenv(VISIBLE, raising=False)
    if listed:
        monkeypatch.setenv(VISIBLE, listed)
    config = Config(device)

    xdist.place(config)

    assert [each.gpus for each in config.registered] == ([placed] if placed else [])


def test_a_worker_takes_what_it_is_given_and_others_keep_what_they_have(monkeypatch):
    monkeypatch.setenv(VISIBLE, "1,2")

    xdist.take(Config("cuda"))
    xdist.take(Config("cuda", workerinput={}))
    kept = os.environ[VISIBLE]
    xdist.take(Config("cuda", workerinput={VISIBLE: "2,1"}))

    assert (kept, os.environ[VISIBLE]) == ("1,2", "2,1")


@pytest.mark.parametrize(
    ("device", "only_for", "gpus", "workers"),
    [
        ("cpu", "", 1, 16),
        (None, "", 1, 16),
        ("cuda", "", 1, cuda.WORKERS_A_GPU),
        ("cuda", "", 4, 4 * cuda.WORKERS_A_GPU),
        ("cuda", "", 100, 16),
        ("cuda", "", 0, cuda.WORKERS_A_GPU),
        ("cuda:1", "", 4, cuda.WORKERS_A_GPU),
        ("xpu", "", 4, cuda.WORKERS_A_GPU),
        (None, "cuda", 2, 2 * cuda.WORKERS_A_GPU),
        (None, "cuda,cpu", 2, 16),
    ],
)
def test_there_are_as_many_workers_as_there_is_memory_for(monkeypatch, device, only_for, gpus, workers):
    monkeypatch.setattr(cuda, "count_gpus", lambda: gpus)
    monkeypatch.setenv(ONLY_FOR, only_for)
    monkeypatch.delenv(FOR_CUSTOM, raising=False)

    assert xdist.most_workers(Config(device), 16) == workers
