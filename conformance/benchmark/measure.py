"""The measurement: for each cell, check every variant, then time all of them in turn, until the time limit."""

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
from conformance.utils.text import text_of, type_name

MIN_ROUNDS = 3
MAX_ROUNDS = 9
# Target for the seconds of timing of a cell; MIN_ROUNDS may take longer.
CELL_SECONDS = 2.0
# Assumed ratio of a variant's time to the roofline, only used to skip cells that can't finish.
EXPECTED_SLOWDOWN = 2.0
TOO_LONG = "not measured: it would exceed the time limit"

Row = dict[str, Any]


@dataclass
class Clock:
    """The seconds of timing that are left. Checks are not counted."""

    left: float

    def lasts(self, seconds: float) -> bool:
        """Return True if there is time for the minimum of rounds of a cell; `seconds`: one round of all variants."""
        return seconds * (MIN_ROUNDS + 1) <= self.left


class Candidates:
    """The variants of an ensemble of one size. `reasons`: why a variant has no numbers, by name."""

    def __init__(self, size: Size, device: torch.device) -> None:
        models, images, classes = size.draw(device)
        self._stack = ParameterStack(models)
        self._expected = ExpectedResults(models, images, classes)
        self.reasons = {name: reason for name in VARIANTS if (reason := variant_unavailable_reason(name, size, device))}
        self._loop = LoopVariant(models, images, classes)
        names = [name for name in VARIANTS[1:] if name not in self.reasons]
        self._variants = make_variants(names, size, self._stack, images, classes)
        self._seconds: dict[str, float] = {}
        flops = roofline.count_flops(models[0], images[0], classes[0])
        self.flops = {task: size.members * each for task, each in flops.items()}
        self.bytes = {task: size.members * each for task, each in roofline.count_bytes(models[0]).items()}

    def correct_variants(self, task: str) -> dict[str, Variant]:
        """Return the loop and the variants that match it in a task; the others get a reason in `reasons`."""
        self._seconds.clear()
        for name, variant in list(self._variants.items()):
            self._stack.restore()
            try:
                self._seconds[name] = self._expected.check(variant, task)
            except Exception as error:  # noqa: BLE001 - a variant may fail with any error
                kind = "wrong" if isinstance(error, AssertionError) else f"fails: {type_name(error)}"
                self.reasons[name] = f"{kind}: {text_of(error)}".splitlines()[0]
                del self._variants[name]
        # The loop comes last: its steps change the members that the others are restored from.
        self._seconds["loop"] = self._expected.check(self._loop, task)
        return {"loop": self._loop, **self._variants}

    def one_pass(self) -> float:
        """Return the seconds that one round of all variants takes, estimated without the compiled one."""
        seconds = [taken for name, taken in self._seconds.items() if name != "compiled"]
        return sum(seconds) / len(seconds) * len(self._seconds)


def measure_rows(
    sizes: Sequence[Size], device: torch.device, machine: roofline.Floor, limit: float, say: Callable[[str], None]
) -> Iterator[Row]:
    """Yield a row for each cell: the ratio of the loop's time to each variant's, or the reason why there is none."""
    clock = Clock(limit)
    for number, size in enumerate(sizes):
        say(f"{number + 1} of {len(sizes)}: {size}; {clock.left:.0f} s of timing left")
        candidates = Candidates(size, device)
        for task in TASKS:
            yield _measure_cell(size, task, candidates, machine, clock)
        # Compiled code for this size is of no use to the next one.
        torch.compiler.reset()


def _measure_cell(size: Size, task: str, candidates: Candidates, machine: roofline.Floor, clock: Clock) -> Row:
    least = machine.least(candidates.flops[task], candidates.bytes[task])
    place = {"network": size.network.name, "members": size.members, "samples": size.samples, "what": task}
    facts = {"flops": candidates.flops[task], "bytes": candidates.bytes[task], "least": _round_number(least)}
    missing = {
        **place,
        **facts,
        "rounds": 0,
        "forms": {name: {"reason": candidates.reasons.get(name, TOO_LONG)} for name in VARIANTS},
    }
    if not clock.lasts(EXPECTED_SLOWDOWN * least * len(VARIANTS)):
        return missing
    right = candidates.correct_variants(task)
    if not clock.lasts(candidates.one_pass()):
        return missing
    rounds = max(MIN_ROUNDS, min(MAX_ROUNDS, int(CELL_SECONDS / candidates.one_pass())))
    begin = timer()
    taken = timing.time_in_turn({name: getattr(variant, task) for name, variant in right.items()}, rounds=rounds)
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
