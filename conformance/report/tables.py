"""Tables of what a run found, such as which optimizers train a stack as its members would be trained.

A test records a cell with pytest's `record_property("cell", ...)`: table, row, column, and what the cell says if the
test passes and if it fails. ``python -m conformance.report.tables conformance-result.json`` prints them as Markdown.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.report.results import Row, Status

Cell = Mapping[str, str]
Tables = Mapping[str, Sequence[Cell]]
EMPTY = "-"


def collect(table: Sequence[Row], recorded: Mapping[str, Sequence[Cell]]) -> dict[str, list[Cell]]:
    """By title, what each implementation has in each row and column; `recorded` holds the cells of each test."""
    found: dict[str, list[Cell]] = {}
    for row in table:
        for case in row.cases:
            for cell in recorded.get(case.test, []):
                says = cell["passes"] if case.status is Status.CONFORMS else cell["fails"]
                place = {"implementation": row.implementation, "row": cell["row"], "column": cell["column"]}
                found.setdefault(cell["table"], []).append({**place, "says": says})
    return found


def in_short(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """What the cells of a row say, and the rows of which all cells say that."""
    short: dict[str, list[str]] = {}
    for row in sorted({cell["row"] for cell in cells}):
        said = sorted({cell["says"] for cell in cells if cell["row"] == row})
        short.setdefault(" / ".join(said), []).append(row)
    return short


def markdown(cells: Sequence[Cell], title: str) -> Iterator[str]:
    """A row a line; where implementations differ, what each of them has."""
    columns = sorted({cell["column"] for cell in cells})
    yield f"| {title} | {' | '.join(columns)} |"
    yield "| --- " * (1 + len(columns)) + "|"
    for row in sorted({cell["row"] for cell in cells}):
        said = (sorted({c["says"] for c in cells if (c["row"], c["column"]) == (row, column)}) for column in columns)
        yield f"| {row} | {' | '.join(' / '.join(each) or EMPTY for each in said)} |"


def main(path: str) -> None:
    for title, cells in json.loads(Path(path).read_text(encoding="utf-8"))["tables"].items():
        sys.stdout.write("\n".join([*markdown(cells, title), "", ""]))


if __name__ == "__main__":
    main(sys.argv[1])
