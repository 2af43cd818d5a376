"""Counts of statuses by chapter and dtype."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.report.html.columns import Column


@dataclass(frozen=True)
class DtypeCounts:
    """The dtypes of each column, and for each chapter the counts by status, one for each dtype of each column."""

    names: Sequence[Sequence[str]]
    rows: Mapping[str, Sequence[Mapping[str, int]]]


def count_dtypes(columns: Sequence[Column], chapters: Sequence[str]) -> DtypeCounts:
    """Return the counts; cases without a dtype are left out."""
    counts = [_count_column(column) for column in columns]
    names = [sorted({dtype for _, dtype in count}) for count in counts]
    rows = {
        chapter: [
            count.get((chapter, dtype), Counter()) for count, some in zip(counts, names, strict=True) for dtype in some
        ]
        for chapter in chapters
    }
    return DtypeCounts(names, {chapter: counted for chapter, counted in rows.items() if any(counted)})


def _count_column(column: Column) -> dict[tuple[str, str], Counter[str]]:
    count: dict[tuple[str, str], Counter[str]] = {}
    for row in column.rows:
        for case in row["cases"]:
            if "dtype" in case:
                place = (row["id"].partition(".")[0], case["dtype"])
                count.setdefault(place, Counter())[case["status"]] += 1
    return count
