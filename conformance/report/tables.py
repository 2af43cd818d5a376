"""Tables of results, for example of the optimizers that train a stack as they train its members.

A test records a cell with pytest's `record_property("cell", ...)`: table, row, column, and the cell's text if the test
passes and if it fails. ``python -m conformance.report.tables conformance-result.json`` prints the tables as Markdown.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
    rows = sorted({cell["row"] for cell in cells})
    if len(rows) > MAX_LISTED:
        count = Counter(cell["says"] for cell in cells)
        wrong = sorted({cell["row"] for cell in cells if cell["says"] == WRONG})
        of_whom = f" ({', '.join(wrong)})" if wrong else ""
        return f"{len(rows)} rows; " + ", ".join(f"{says} {n}" for says, n in sorted(count.items())) + of_whom
    short: dict[str, list[str]] = {}
    for row in rows:
        said = sorted({cell["says"] for cell in cells if cell["row"] == row})
        short.setdefault(" / ".join(said), []).append(row)
    return "; ".join(f"{says}: {', '.join(names)}" for says, names in short.items())


def cells_as_markdown(cells: Sequence[Cell], title: str) -> Iterator[str]:
    """Yield a table as Markdown; a cell has all texts where implementations differ."""
    columns = sorted({cell["column"] for cell in cells})
    yield f"| {title} | {' | '.join(columns)} |"
    yield "| --- " * (1 + len(columns)) + "|"
    for row in sorted({cell["row"] for cell in cells}):
        said = (sorted({c["says"] for c in cells if (c["row"], c["column"]) == (row, column)}) for column in columns)
        yield f"| {row} | {' | '.join(' / '.join(each) or EMPTY for each in said)} |"


def main(path: str) -> None:
    """Print the tables of a result file as Markdown."""
    for title, cells in json.loads(Path(path).read_text(encoding="utf-8"))["tables"].items():
        sys.stdout.write("\n".join([*cells_as_markdown(cells, title), "", ""]))


if __name__ == "__main__":
    main(sys.argv[1])
