"""Cell by cell: check every form, then time all of them in turn, as long as the time lasts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.benchmark.utils.timer import timer

from conformance.benchmark import roofline
from conformance.benchmark.grid import TASKS, Size
from conformance.benchmark.variants import (
    VARIANTS,
    LoopVariant,
    ParameterStack,
    Variant,
    make_variants,
    variant_unavailable_reason,
)
from conformance.benchmark.verify import ExpectedResults
from conformance.utils import timing

MIN_ROUNDS = 3
MAX_ROUNDS = 9
# Seconds of timing that a cell should take at most, as far as FEWEST allows.
CELL_SECONDS = 2.0
# How much longer a form takes than the machine would need: only to foresee which cells are not even worth a check.
EXPECTED_SLOWDOWN = 2.0
TOO_LONG = "not measured: it would outlast the time limit"

Row = dict[str, Any]


@dataclass
class Clock:
    """How many seconds of timing are left. (Checking is not counted: what it compiles, the next run finds compiled.)"""

    left: float

    def lasts(self, seconds: float) -> bool:
        """Whether there is time for the fewest rounds of a cell whose forms take so many seconds, all together."""
        return seconds * (MIN_ROUNDS + 1) <= self.left


class Candidates:
    """All forms of an ensemble of this size; `reasons` says which of them there are no numbers for."""

    def __init__(self, size: Size, device: torch.device) -> None:
        models, images, classes = size.drawn(device)
        self._stack = ParameterStack(models)
        self._expected = ExpectedResults(models, images, classes)
        self.reasons = {name: reason for name in VARIANTS if (reason := variant_unavailable_reason(name, size, device))}
        self._loop = LoopVariant(models, images, classes)
        names = [name for name in VARIANTS[1:] if name not in self.reasons]
        self._forms = make_variants(names, size, self._stack, images, classes)
        self._seconds: dict[str, float] = {}
        flops = roofline.count_flops(models[0], images[0], classes[0])
        self.flops = {what: size.members * each for what, each in flops.items()}
        self.bytes = {what: size.members * each for what, each in roofline.count_bytes(models[0]).items()}

    def right(self, what: str) -> dict[str, Variant]:
        """The loop, and the forms that do this as it does; `reasons` says of the others why not."""
        self._seconds.clear()
        for name, form in list(self._forms.items()):
            self._stack.restore()
            try:
                self._seconds[name] = self._expected.check(form, what)
            except Exception as error:  # noqa: BLE001 - what can't be run says so in any way
                kind = "wrong" if isinstance(error, AssertionError) else f"fails: {type(error).__name__}"
                self.reasons[name] = f"{kind}: {error}".splitlines()[0]
                del self._forms[name]
        # The last one: its steps change the members that the others are restored from.
        self._seconds["loop"] = self._expected.check(self._loop, what)
        return {"loop": self._loop, **self._forms}

    def one_pass(self) -> float:
        """The seconds that all forms took to be checked. For what was compiled meanwhile the others stand."""
        seconds = [taken for name, taken in self._seconds.items() if name != "compiled"]
        return sum(seconds) / len(seconds) * len(self._seconds)


def measure_rows(
    sizes: Sequence[Size], device: torch.device, machine: roofline.Floor, limit: float, say: Callable[[str], None]
) -> Iterator[Row]:
    """A row for each cell, with the ratios of the loop's time to each form's, or the reason why there is none."""
    clock = Clock(limit)
    for number, size in enumerate(sizes):
        say(f"{number + 1} of {len(sizes)}: {size}; {clock.left:.0f} s of timing left")
        candidates = Candidates(size, device)
        for what in TASKS:
            yield _measure_cell(size, what, candidates, machine, clock)
        # What was compiled for this size is of no use to the next one.
        torch.compiler.reset()


def _measure_cell(size: Size, what: str, candidates: Candidates, machine: roofline.Floor, clock: Clock) -> Row:
    least = machine.least(candidates.flops[what], candidates.bytes[what])
    place = {"network": size.network.name, "members": size.members, "samples": size.samples, "what": what}
    facts = {"flops": candidates.flops[what], "bytes": candidates.bytes[what], "least": _round_number(least)}
    missing = {
        **place,
        **facts,
        "rounds": 0,
        "forms": {name: {"reason": candidates.reasons.get(name, TOO_LONG)} for name in VARIANTS},
    }
    if not clock.lasts(EXPECTED_SLOWDOWN * least * len(VARIANTS)):
        return missing
    right = candidates.right(what)
    if not clock.lasts(candidates.one_pass()):
        return missing
    rounds = max(MIN_ROUNDS, min(MAX_ROUNDS, int(CELL_SECONDS / candidates.one_pass())))
    begin = timer()
    taken = timing.in_turn({name: getattr(form, what) for name, form in right.items()}, rounds=rounds)
    clock.left -= timer() - begin
    reasons = {name: {"reason": reason} for name, reason in candidates.reasons.items()}
    timed = {name: _cell_times(own, taken) for name, own in taken.items()}
    return {**place, **facts, "rounds": rounds, "forms": {name: (timed | reasons)[name] for name in VARIANTS}}


def _cell_times(own: timing.Timing, taken: dict[str, timing.Timing]) -> dict[str, float]:
    seconds = {"seconds": own.median, "low": own.low, "high": own.high}
    return {
        name: _round_number(value) for name, value in {**seconds, "ratio": taken["loop"].median / own.median}.items()
    }


def _round_number(value: float) -> float:
    return float(f"{value:.4g}")
