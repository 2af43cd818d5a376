"""The recorded tables of several results."""

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.report.bounds import check_grids
from conformance.report.reader import Result
from conformance.report.tables import EMPTY, MAX_LISTED

Places = dict[tuple[str, str], dict[str, None]]  # the texts of each row and column, in page order


@dataclass(frozen=True)
class ResultTable:
    """A table; each row has a name and a cell for each of `columns`."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]

    @property
    def is_long(self) -> bool:
        """True if the table is shown closed."""
        return len(self.rows) > MAX_LISTED


def result_tables(results: Sequence[Result]) -> list[ResultTable]:
    """Return the tables by title. Raises ValueError for too many cells.

    Where results or implementations differ, a cell has all texts in page order.
    """
    titles = dict.fromkeys(title for result in results for title in result.content["tables"])
    tables = {title: _cells_by_place(title, results) for title in titles}
    check_grids(tables.values())
    return [_make_table(title, said) for title, said in tables.items()]


def _cells_by_place(title: str, results: Sequence[Result]) -> Places:
    said: Places = {}
    for result in results:
        for cell in result.content["tables"].get(title, []):
            said.setdefault((cell["row"], cell["column"]), {})[cell["says"]] = None
    return said


def _make_table(title: str, said: Places) -> ResultTable:
    columns = sorted({column for _, column in said})
    rows = sorted({row for row, _ in said})
    return ResultTable(
        title,
        columns,
        [(row, [" / ".join(said.get((row, column), {EMPTY: None})) for column in columns]) for row in rows],
    )
