"""The columns of a page: what each result file says of each implementation, under a name that says which it is."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.report.reader import Result

ALL_COLUMNS = "all columns"
MAX_NAME = 60  # characters: a name comes from anybody, and stands in a heading

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Column:
    """One implementation in one result file. `label` says which file, `name` also which implementation."""

    result: Result
    label: str
    implementation: str
    name: str

    def row(self, requirement: str) -> Row | None:
        """What the file says of a requirement; a file of another version of the suite may not have it."""
        return self.result.rows.get((requirement, self.implementation))

    @property
    def rows(self) -> list[Row]:
        return [row for (_, name), row in self.result.rows.items() if name == self.implementation]


def result_labels(results: Sequence[Result]) -> list[str]:
    """Release and device of each result; with the file's name, and a number, as far as that tells them apart."""
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
    """All columns, file by file."""
    several = len(results) > 1
    return [
        Column(result, shorten(label), name, shorten(f"{label}, {name}" if several else name))
        for label, result in zip(result_labels(results), results, strict=True)
        for name in dict.fromkeys(name for _, name in result.rows)
    ]


def column_names(some: Iterable[Column], everything: Sequence[Column]) -> str:
    """The names of some columns in the order of the page; in two words if it is all of several."""
    chosen = set(some)
    if len(chosen) == len(everything) > 1:
        return ALL_COLUMNS
    return "; ".join(column.name for column in everything if column in chosen)


def shorten(text: str) -> str:
    """Cut where nobody would read on."""
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"
