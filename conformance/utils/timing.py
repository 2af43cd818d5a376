"""Timing of several calls in turn: a slow phase of the machine slows all of them."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import torch

Call = Callable[[], Any]
Clock = Callable[[], float]
ROUNDS = 5
# A round of a call that is shorter than this measures the clock.
SHORTEST = 2e-3
# Likewise in a comparison, whose many rounds average the noise of the clock.
SHORTEST_OF_MANY = 5e-4
# A call whose first run takes longer is not repeated within a round.
LONG_WARM_UP = 0.1
# Rounds of a comparison: fewer than FEWEST give no interval with 95 % confidence; it ends after ENOUGH if it may.
FEWEST, ENOUGH = 6, 9


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of the rounds, and the quartiles around it."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """The distance of the quartiles as a share of the median."""
        return (self.high - self.low) / self.median


@dataclass(frozen=True)
class Comparison:
    """Two calls, timed in turn. `ratio`: the median over the rounds of the first call's time to the second's.

    `low` and `high` are the ends of an interval that has the true median with at least 95 % confidence; with fewer
    than `FEWEST` rounds there is none, and they are the smallest and the largest ratio.
    """

    first: Timing
    second: Timing
    ratio: float
    low: float
    high: float
    rounds: int


def device_clock(device: torch.device) -> Clock:
    """Return a clock in seconds that waits for the device."""
    if device.type == "cpu":
        return time.perf_counter
    # This import takes a tenth of a second.
    from torch.utils.benchmark.utils.timer import timer

    return timer


def time_in_turn(calls: Mapping[str, Call], *, rounds: int = ROUNDS) -> dict[str, Timing]:
    """Each call once to warm up, and then all of them in turn, round by round.

    torch's clock waits for the device. A short call is repeated within a round.
    """
    from torch.utils.benchmark.utils.timer import timer

    repeats = {name: max(1, round(SHORTEST / max(_seconds(call, 1, timer), 1e-9))) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(_seconds(call, repeats[name], timer))
    return {name: _timing(each) for name, each in taken.items()}


def compare_in_turn(
    first: Call, second: Call, clock: Clock, *, narrow: float, most: int, seconds: float, longest: float
) -> Comparison:
    """Time both calls in turn until the ends of the ratio's interval are a factor `narrow` apart.

    It also ends after `most` rounds or when `seconds` are up, but the rounds that an interval needs may take up to
    `longest` seconds. The first round, a warm-up, counts only if there is no time for another.
    """
    calls = (first, second)
    begun = clock()
    warm_up = (_seconds(first, 1, clock), _seconds(second, 1, clock))
    repeats = [_repeats(call, spent, clock) for call, spent in zip(calls, warm_up, strict=True)]
    taken: list[tuple[float, float]] = []
    while clock() - begun < (seconds if len(taken) >= FEWEST else longest) and len(taken) < most:
        # Every other round begins with the other call, as the first one may find a warmer or a colder cache.
        order = (0, 1) if len(taken) % 2 else (1, 0)
        spent = {i: _seconds(calls[i], repeats[i], clock) for i in order}
        taken.append((spent[0], spent[1]))
        low, high = median_interval(_ratios(taken))
        if len(taken) >= ENOUGH and high <= narrow * low:
            break
    taken = taken or [warm_up]
    low, high = median_interval(_ratios(taken))
    timings = [_timing(list(each)) for each in zip(*taken, strict=True)]
    return Comparison(timings[0], timings[1], median(_ratios(taken)), low, high, len(taken))


def _repeats(call: Call, warm_up: float, clock: Clock) -> int:
    """Return how often a round repeats the call; `warm_up` are the seconds of its first call."""
    if warm_up > LONG_WARM_UP:
        return 1
    return max(1, math.ceil(SHORTEST_OF_MANY / max(_seconds(call, 1, clock), 1e-9)))


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the order statistics between which the median lies with at least 95 % confidence, or the extremes."""
    count = len(values)
    rank, tail = 0, 0.0
    while (tail := tail + math.comb(count, rank) / 2**count) <= 0.025:  # noqa: PLR2004 - half of 5 %
        rank += 1
    rank = max(rank, 1)
    ordered = sorted(values)
    return ordered[rank - 1], ordered[count - rank]


def _ratios(taken: Sequence[tuple[float, float]]) -> list[float]:
    return [first / max(second, 1e-9) for first, second in taken]


def _seconds(call: Call, repeats: int, clock: Clock) -> float:
    begin = clock()
    for _ in range(repeats):
        call()
    return (clock() - begin) / repeats


def _timing(taken: list[float]) -> Timing:
    low, _, high = quantiles(taken, n=4) if len(taken) > 1 else taken * 3
    return Timing(median(taken), low, high)
