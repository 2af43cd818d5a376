"""What changed between two results, for a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.report import changes
from conformance.report.comparing import compare
from conformance.report.history import labels
from conformance.report.reading import Result


@dataclass(frozen=True)
class Step:
    """From one result to the next: what sets their runs apart beside torch, how much moved, and what."""

    title: str
    conditions: Sequence[str]
    summary: str
    sections: Sequence[changes.Section]


def step(old: Result, new: Result) -> Step:
    """All that moved from `old` to `new`."""
    transitions = compare(old, new)
    return Step(
        f"From torch {' to '.join(labels([old, new]))}",
        list(changes.conditions(old, new)),
        changes.summary(transitions),
        changes.sections(transitions),
    )
