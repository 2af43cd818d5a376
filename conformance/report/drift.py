"""Drift between two results: what still conforms, and is less accurate or computed in another way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.report.reader import Result
from conformance.report.results import Status

GROWTH = 4  # a share of the error budget that grew by more than this factor is drift
MIN_SHARE = 0.1  # a smaller share is noise


@dataclass(frozen=True)
class BudgetDrift:
    """The cases of a requirement and implementation whose shares of the error budget grew: `cases` of `of`.

    `old`, `new`: the shares of the case with the largest share, `test`.
    """

    requirement: str
    implementation: str
    cases: int
    of: int
    test: str
    old: float
    new: float


@dataclass(frozen=True)
class TableDrift:
    """The cells of a table, as "row, column", that changed from one text to another under the same implementations."""

    table: str
    implementations: Sequence[str]
    old: str
    new: str
    cells: Sequence[str]


Drift = BudgetDrift | TableDrift


def find_drift(old: Result, new: Result) -> list[Drift]:
    """Return the drift of all requirements, and then of all tables."""
    return [*_budget_drift(old, new), *_table_drift(old, new)]


def _budget_drift(old: Result, new: Result) -> Iterator[BudgetDrift]:
    for (requirement, implementation), row in new.rows.items():
        earlier = old.rows.get((requirement, implementation), {"cases": ()})
        before = {case["test"]: share for case in earlier["cases"] if (share := _share(case)) is not None}
        shares = [
            (share, before[case["test"]], case["test"])
            for case in row["cases"]
            if case["test"] in before and (share := _share(case)) is not None
        ]
        grown = [each for each in shares if each[0] > MIN_SHARE and each[0] > GROWTH * each[1]]
        if grown:
            share, was, test = max(grown)
            yield BudgetDrift(requirement, implementation, len(grown), len(shares), test, was, share)


def _share(case: Mapping[str, Any]) -> float | None:
    """Return the share of the budget that a case used, or None; above 1, a case asks for a difference."""
    share: float | None = case["budget_share"]
    return share if case["status"] == Status.CONFORMS and share is not None and share <= 1 else None


def _table_drift(old: Result, new: Result) -> Iterator[TableDrift]:
    for title, cells in new.content["tables"].items():
        before = {_place(cell): cell["says"] for cell in old.content["tables"].get(title, ())}
        moved: dict[tuple[str, str, str], dict[str, None]] = {}
        for cell in cells:
            was = before.get(_place(cell), cell["says"])
            if was != cell["says"]:
                name = f"{cell['row']}, {cell['column']}"
                moved.setdefault((was, cell["says"], name), {})[cell["implementation"]] = None
        alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
        for (was, now, name), implementations in moved.items():
            alike.setdefault((was, now, tuple(implementations)), []).append(name)
        for (was, now, names), found in alike.items():
            yield TableDrift(title, names, was, now, tuple(found))


def _place(cell: Mapping[str, str]) -> tuple[str, str, str]:
    return cell["implementation"], cell["row"], cell["column"]
