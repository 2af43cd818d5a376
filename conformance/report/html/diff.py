"""The difference between two results, for the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.report import diff_text
from conformance.report.diff import compare
from conformance.report.diff_sections import Section, diff_sections, drift_sections
from conformance.report.reader import Result
from conformance.report.releases import release_labels


@dataclass(frozen=True)
class DiffStep:
    """The difference between two results: suites and settings that differ, a summary, and the changes by kind."""

    title: str
    conditions: Sequence[str]
    summary: str
    sections: Sequence[Section]


def make_diff_step(old: Result, new: Result) -> DiffStep:
    """Return the difference between `old` and `new`."""
    difference = compare(old, new)
    return DiffStep(
        f"From torch {' to '.join(release_labels([old, new]))}",
        [*diff_text.changed_conditions(old, new), *diff_text.left_out_lines(difference)],
        diff_text.diff_summary(difference),
        [*diff_sections(difference.transitions), *drift_sections(difference.drift)],
    )
