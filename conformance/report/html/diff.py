"""The difference between two results, for the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.report import diff_text
from conformance.report.diff import compare
from conformance.report.reader import Result
from conformance.report.releases import release_labels


@dataclass(frozen=True)
class DiffStep:
    """The difference between two results: other settings that differ, a summary, and the changes by kind."""

    title: str
    conditions: Sequence[str]
    summary: str
    sections: Sequence[diff_text.Section]


def make_diff_step(old: Result, new: Result) -> DiffStep:
    """Return the difference between `old` and `new`."""
    transitions = compare(old, new)
    return DiffStep(
        f"From torch {' to '.join(release_labels([old, new]))}",
        list(diff_text.changed_conditions(old, new)),
        diff_text.diff_summary(transitions),
        diff_text.diff_sections(transitions),
    )
