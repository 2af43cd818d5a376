"""Timing of several calls in turn: a slow phase of the machine slows all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from torch.utils.benchmark.utils.timer import timer

Call = Callable[[], Any]
ROUNDS = 5
# A round of a call that is shorter than this measures the clock.
SHORTEST = 2e-3


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


def time_in_turn(calls: Mapping[str, Call], *, rounds: int = ROUNDS) -> dict[str, Timing]:
    """Each call once to warm up, and then all of them in turn, round by round.

    torch's clock waits for the device. A short call is repeated within a round.
    """
    repeats = {name: max(1, round(SHORTEST / max(_seconds(call, 1), 1e-9))) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(_seconds(call, repeats[name]))
    return {name: _timing(each) for name, each in taken.items()}


def _seconds(call: Call, repeats: int) -> float:
    begin = timer()
    for _ in range(repeats):
        call()
    return (timer() - begin) / repeats


def _timing(taken: list[float]) -> Timing:
    low, _, high = quantiles(taken, n=4)
    return Timing(median(taken), low, high)
