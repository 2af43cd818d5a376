"""Tables of results, for example of the optimizers that train a stack as they train its members.

A test records a cell with pytest's `record_property("cell", ...)`: table, row, column, and the cell's text if the test
passes and if it fails. ``conformance tables conformance-result.json`` prints the tables as Markdown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from conformance.report.markdown import table_row, table_rule
from conformance.report.results import RequirementResult, Status

Cell = Mapping[str, str]
Tables = Mapping[str, Sequence[Cell]]
# Texts of cells for operations that give no correct result.
REFUSED = "refused"
WRONG = "wrong"
EMPTY = "-"
MAX_LISTED = 20  # rows or tests that the terminal report lists by name


def collect_tables(table: Sequence[RequirementResult], recorded: Mapping[str, Sequence[Cell]]) -> dict[str, list[Cell]]:
    """Return the cells of each table by title; `recorded` has the cells that each test recorded."""
    found: dict[str, list[Cell]] = {}
    for row in table:
        for case in row.cases:
            for cell in recorded.get(case.test, []):
                says = cell["passes"] if case.status is Status.CONFORMS else cell["fails"]
                place = {"implementation": row.implementation, "row": cell["row"], "column": cell["column"]}
                found.setdefault(cell["table"], []).append({**place, "says": says})
    return found


def summarize_cells(cells: Sequence[Cell]) -> str:
    """Return one line about the cells: rows by text if they are few, else counts, and the names of wrong rows."""
    by_row: dict[str, set[str]] = {}
    for cell in cells:
        by_row.setdefault(cell["row"], set()).add(cell["says"])
    if len(by_row) > MAX_LISTED:
        count = Counter(cell["says"] for cell in cells)
        wrong = sorted(row for row, says in by_row.items() if WRONG in says)
        of_whom = f" ({', '.join(wrong)})" if wrong else ""
        return f"{len(by_row)} rows; " + ", ".join(f"{says} {n}" for says, n in sorted(count.items())) + of_whom
    short: dict[str, list[str]] = {}
    for row, said in sorted(by_row.items()):
        short.setdefault(" / ".join(sorted(said)), []).append(row)
    return "; ".join(f"{says}: {', '.join(names)}" for says, names in short.items())


def cells_as_markdown(cells: Sequence[Cell], title: str) -> Iterator[str]:
    """Yield a table as Markdown; a cell has all texts where implementations differ."""
    said: dict[str, dict[str, set[str]]] = {}
    for cell in cells:
        said.setdefault(cell["row"], {}).setdefault(cell["column"], set()).add(cell["says"])
    columns = sorted({cell["column"] for cell in cells})
    yield table_row([title, *columns])
    yield table_rule(1 + len(columns))
    for name, row in sorted(said.items()):
        yield table_row([name, *(" / ".join(sorted(row.get(column, {EMPTY}))) for column in columns)])
