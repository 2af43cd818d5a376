"""The details of one requirement: counts for each column, failures, and other cases grouped by message."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.report.html.columns import Column, Row, column_names
from conformance.report.results import FAILING, Status

MAX_TESTS = 3  # of a group, listed by name
MAX_FAILURES = 50  # of a requirement, listed one by one
MAX_GROUPS = 50  # of a requirement


@dataclass(frozen=True)
class Tally:
    """The cases of one column: counts by status, the largest share of the error budget, and the total seconds."""

    name: str
    count: Mapping[str, int]
    share: float | None
    seconds: float


@dataclass(frozen=True)
class Group:
    """Cases with the same status, message and effect.

    `observed`: what the first of them gave; `where`: their columns; `tests`: the first few; `rerun`: a command.
    """

    status: str
    lost: bool
    message: str
    effect: str
    observed: str
    where: str
    count: int
    tests: Sequence[str]
    rerun: str

    @property
    def more(self) -> int:
        """The number of cases that are not named."""
        return self.count - len(self.tests)


@dataclass(frozen=True)
class RequirementDetails:
    """The details of a requirement. In `by_dtype`, columns with equal counts share a row.

    `failed`, `grouped`: the numbers of failures and of groups, of which the page shows the first.
    """

    tallies: Sequence[Tally]
    dtypes: Sequence[str]
    by_dtype: Mapping[str, Mapping[str, Mapping[str, int]]]
    groups: Sequence[Group]
    grouped: int
    failures: Sequence[tuple[str, Row]]
    failed: int

    @property
    def statuses(self) -> list[Status]:
        """The statuses that occur."""
        return [status for status in Status if any(tally.count[status] for tally in self.tallies)]


def requirement_details(rows: Mapping[Column, Row], columns: Sequence[Column]) -> RequirementDetails:
    """Return the details of a requirement. `rows`: its rows by column; `columns`: all columns of the page."""
    cases = {column: row["cases"] for column, row in rows.items() if row["cases"]}
    failures = [(column.name, case) for column, some in cases.items() for case in some if case["status"] in FAILING]
    groups = _group_cases(cases, columns)
    return RequirementDetails(
        [_make_tally(column, some) for column, some in cases.items()],
        sorted({case["dtype"] for some in cases.values() for case in some if "dtype" in case}),
        _count_by_dtype(cases, columns),
        groups[:MAX_GROUPS],
        len(groups),
        failures[:MAX_FAILURES],
        len(failures),
    )


def _make_tally(column: Column, cases: Sequence[Row]) -> Tally:
    shares = [case["budget_share"] for case in cases if case["budget_share"] is not None]
    return Tally(
        column.name,
        Counter(case["status"] for case in cases),
        max(shares, default=None),
        sum(case["duration"] for case in cases),
    )


def _count_by_dtype(
    cases: Mapping[Column, Sequence[Row]], columns: Sequence[Column]
) -> dict[str, dict[str, Counter[str]]]:
    same: dict[frozenset[tuple[str, str, int]], list[Column]] = {}
    for column, some in cases.items():
        count = Counter((case["dtype"], case["status"]) for case in some if "dtype" in case)
        if count:
            key = frozenset((dtype, status, n) for (dtype, status), n in count.items())
            same.setdefault(key, []).append(column)
    table: dict[str, dict[str, Counter[str]]] = {}
    for key, who in same.items():
        row = table.setdefault(column_names(who, columns), {})
        for dtype, status, n in key:
            row.setdefault(dtype, Counter())[status] += n
    return table


def _group_cases(cases: Mapping[Column, Sequence[Row]], columns: Sequence[Column]) -> list[Group]:
    said: dict[tuple[int, bool, str, str], list[tuple[Column, Row]]] = {}
    order = list(Status)
    for column, some in cases.items():
        for case in some:
            if case["status"] not in (Status.CONFORMS, *FAILING):
                key = (order.index(case["status"]), case["lost"], case["message"], case.get("effect", ""))
                said.setdefault(key, []).append((column, case))
    return [
        Group(
            order[status],
            lost,
            message,
            effect,
            who[0][1].get("observed", ""),
            column_names((column for column, _ in who), columns),
            len(who),
            [case["test"] for _, case in who[:MAX_TESTS]],
            who[0][1]["rerun"],
        )
        for (status, lost, message, effect), who in sorted(said.items(), key=lambda each: each[0][0])
    ]
