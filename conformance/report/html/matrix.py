"""The matrix of requirements, by chapter, against the columns of the page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.report.bounds import check_matrix
from conformance.report.html.columns import Column
from conformance.report.html.requirement import RequirementDetails, requirement_details
from conformance.report.results import FAILING
from conformance.spec.requirements import CHAPTERS

ABSENT = "not in this file"
SAFE_SCHEME = "https://"


@dataclass(frozen=True)
class RequirementLine:
    """A line of the matrix: the status of a requirement in each column, and its details."""

    id: str
    level: str
    text: str
    source: tuple[str, str]
    statuses: Sequence[str]
    differs: bool
    details: RequirementDetails

    @property
    def name(self) -> str:
        """The id without its chapter."""
        return self.id.partition(".")[2]


@dataclass(frozen=True)
class Chapter:
    """The requirements of a chapter, and their counts by status for each column."""

    name: str
    lines: Sequence[RequirementLine]
    counts: Sequence[Mapping[str, int]]

    @property
    def fails(self) -> bool:
        """True if a requirement fails in any column."""
        return any(count[status] for count in self.counts for status in FAILING)


def make_chapters(columns: Sequence[Column]) -> list[Chapter]:
    """Return the chapters in the order of the suite, unknown ones last. Raises ValueError for too many cells."""
    by_chapter: dict[str, list[str]] = {chapter: [] for chapter in CHAPTERS}
    requirements = dict.fromkeys(key for column in columns for key, _ in column.result.rows)
    check_matrix(len(requirements), len(columns))
    for requirement in requirements:
        by_chapter.setdefault(requirement.partition(".")[0], []).append(requirement)
    return [_make_chapter(name, ids, columns) for name, ids in by_chapter.items() if ids]


def _make_chapter(name: str, ids: Sequence[str], columns: Sequence[Column]) -> Chapter:
    lines = [_make_line(requirement, columns) for requirement in ids]
    counts = [Counter(line.statuses[i] for line in lines) for i in range(len(columns))]
    return Chapter(name, lines, counts)


def _make_line(requirement: str, columns: Sequence[Column]) -> RequirementLine:
    rows = {column: row for column in columns if (row := column.row(requirement))}
    said = next(iter(rows.values()))
    statuses = [rows[column]["status"] if column in rows else ABSENT for column in columns]
    return RequirementLine(
        requirement,
        said["level"],
        said["text"],
        split_link(said["source"]),
        statuses,
        _results_differ(columns, statuses),
        requirement_details(rows, columns),
    )


def _results_differ(columns: Sequence[Column], statuses: Sequence[str]) -> bool:
    """Return True if files differ for an implementation; if none is in two files, True if any two columns differ."""
    by_implementation: dict[str, set[str]] = {}
    for column, status in zip(columns, statuses, strict=True):
        by_implementation.setdefault(column.implementation, set()).add(status)
    if len(by_implementation) == len(columns):
        return len(set(statuses)) > 1
    return any(len(each) > 1 for each in by_implementation.values())


def split_link(source: str) -> tuple[str, str]:
    """Split a source into the https link at its start, or "", and the rest."""
    address, _, rest = source.partition(" ")
    return (address, rest) if address.startswith(SAFE_SCHEME) else ("", source)
