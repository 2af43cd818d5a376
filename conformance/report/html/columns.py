"""The columns of a page: one for each implementation in each result file, with a unique name."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.report.reader import Result

ALL_COLUMNS = "all columns"
MAX_NAME = 60  # characters of a name in a heading; names are untrusted
MAX_NAMED = 30  # columns that share a row

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Column:
    """One implementation in one result file. `label` names the file, `name` the file and the implementation."""

    result: Result
    label: str
    implementation: str
    name: str

    def row(self, requirement: str) -> Row | None:
        """Return the row of a requirement, or None: a file of another version of the suite may lack it."""
        return self.result.rows.get((requirement, self.implementation))

    @property
    def rows(self) -> list[Row]:
        """All rows of the implementation."""
        return [row for (_, name), row in self.result.rows.items() if name == self.implementation]


def result_labels(results: Sequence[Result]) -> list[str]:
    """Return release and device of each result, with file name and number where needed to tell them apart."""
    short = [f"{result.release} {result.content['environment']['device']}" for result in results]
    named = [
        f"{label} ({result.name})" if short.count(label) > 1 else label
        for label, result in zip(short, results, strict=True)
    ]
    seen: Counter[str] = Counter()
    numbered = []
    for label in named:
        seen[label] += 1
        numbered.append(f"{seen[label]}: {label}" if named.count(label) > 1 else label)
    return numbered


def make_columns(results: Sequence[Result]) -> list[Column]:
    """Return all columns, file by file."""
    several = len(results) > 1
    return [
        Column(result, shorten(label), name, shorten(f"{label}, {name}" if several else name))
        for label, result in zip(result_labels(results), results, strict=True)
        for name in dict.fromkeys(name for _, name in result.rows)
    ]


def column_names(some: Iterable[Column], everything: Sequence[Column]) -> str:
    """Return the names of some columns in the order of the page, the first of them, or "all columns"."""
    chosen = set(some)
    if len(chosen) == len(everything) > 1:
        return ALL_COLUMNS
    names = [column.name for column in everything if column in chosen]
    return "; ".join(names[:MAX_NAMED] + [f"{len(names) - MAX_NAMED} more"] * (len(names) > MAX_NAMED))


def shorten(text: str) -> str:
    """Return `text` with at most MAX_NAME characters."""
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"
