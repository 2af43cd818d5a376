"""Are calls measured in turn, and is their memory counted?"""

import time

import torch

from conformance.devices import memory
from conformance.utils import timing

CPU = torch.device("cpu")


def test_calls_are_measured_round_by_round():
    asked = []

    timing.time_in_turn(
        {"one": lambda: asked.append(1) or time.sleep(0.003), "two": lambda: asked.append(2) or time.sleep(0.003)}
    )

    assert asked == [1, 2] + [1, 2] * timing.ROUNDS


def test_a_short_call_is_repeated_within_a_round():
    asked = []

    taken = timing.time_in_turn({"short": lambda: asked.append(1)}, rounds=3)["short"]

    assert len(asked) > 100
    assert taken.low <= taken.median <= taken.high
    assert taken.spread >= 0


def test_the_peak_counts_what_is_there_at_one_time():
    x = torch.ones(1000, 250)
    size = x.nbytes

    assert memory.measure_peak_memory(lambda: x.add(1).mul_(2).sum(), CPU) < 1.1 * size
    assert 2 * size <= memory.measure_peak_memory(lambda: (x + 1) * 2, CPU) < 2.1 * size


def test_what_is_given_back_is_not_counted_on():
    x = torch.ones(1000, 250)

    def one_after_the_other():
        for _ in range(5):
            x.add(1)

    assert x.nbytes <= memory.measure_peak_memory(one_after_the_other, CPU) < 1.1 * x.nbytes


def test_a_device_is_asked_for_its_own_count(monkeypatch):
    monkeypatch.setattr(memory.features, "peak_bytes", lambda device, call: (str(device), call()))

    assert memory.measure_peak_memory(lambda: 7, torch.device("meta")) == ("meta", 7)
