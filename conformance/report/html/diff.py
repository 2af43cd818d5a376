"""What changed between two results, for a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.report import diff_text
from conformance.report.diff import compare
from conformance.report.reader import Result
from conformance.report.releases import labels


@dataclass(frozen=True)
class Step:
    """From one result to the next: what sets their runs apart beside torch, how much moved, and what."""

    title: str
    conditions: Sequence[str]
    summary: str
    sections: Sequence[diff_text.Section]


def step(old: Result, new: Result) -> Step:
    """All that moved from `old` to `new`."""
    transitions = compare(old, new)
    return Step(
        f"From torch {' to '.join(labels([old, new]))}",
        list(diff_text.conditions(old, new)),
        diff_text.summary(transitions),
        diff_text.sections(transitions),
    )
