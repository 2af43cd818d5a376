"""Are calls measured in turn, and is their memory counted?"""

import time
from itertools import cycle

import pytest
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


class FakeClock:
    """A clock that moves when a call takes its time, so that no machine's noise is in the test."""

    def __init__(self):
        self.now = 0.0
        self.asked = []

    def __call__(self):
        return self.now

    def call(self, name, *durations):
        """Return a call that takes these seconds in turn."""
        rest = cycle(durations)

        def take():
            self.asked.append(name)
            self.now += next(rest)

        return take


OPTIONS = {"narrow": 1.1, "most": 50, "seconds": 100.0, "longest": 200.0}


def test_a_comparison_ends_when_the_interval_is_narrow():
    clock = FakeClock()

    found = timing.compare_in_turn(clock.call("slow", 0.03), clock.call("fast", 0.01), clock, **OPTIONS)

    assert (found.ratio, found.low, found.high) == pytest.approx((3, 3, 3))
    assert found.rounds == timing.ENOUGH
    assert found.first.median == pytest.approx(0.03)
    # The warm-up, the length of a call, and rounds that begin with either call.
    assert clock.asked[:8] == ["slow", "fast", "slow", "fast", "fast", "slow", "slow", "fast"]


@pytest.mark.parametrize(
    ("options", "rounds"),
    [({}, 50), ({"seconds": 0.5}, 12), ({"seconds": 0.01}, timing.FEWEST), ({"longest": 0.01}, 1)],
    ids=["most", "seconds", "fewest", "longest"],
)
def test_a_noisy_comparison_ends_after_its_rounds_or_its_time(options, rounds):
    clock = FakeClock()
    noisy = clock.call("noisy", 0.01, 0.01, 0.04, 0.01, 0.02, 0.07, 0.03)

    found = timing.compare_in_turn(noisy, clock.call("fast", 0.01), clock, **OPTIONS | options)

    assert found.rounds == rounds
    assert found.low <= found.ratio <= found.high
    assert found.high > 1.1 * found.low or rounds == 1


def test_a_short_call_is_repeated_in_a_comparison_and_a_long_one_is_not():
    clock = FakeClock()

    timing.compare_in_turn(clock.call("short", 2**-13), clock.call("long", 0.2), clock, **OPTIONS | {"most": 1})

    assert (clock.asked.count("short"), clock.asked.count("long")) == (1 + 1 + 5, 1 + 1)


def test_the_median_lies_in_its_interval_with_95_percent_confidence():
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(2000, 15, generator=generator).tolist()

    held = [low <= 0 <= high for low, high in map(timing.median_interval, draws)]

    assert 0.95 <= sum(held) / len(held) <= 0.98
    assert timing.median_interval([3, 1, 2]) == (1, 3)


def test_a_device_has_a_clock_of_its_own():
    assert timing.device_clock(CPU) is time.perf_counter
    assert timing.device_clock(torch.device("meta"))() > 0


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
