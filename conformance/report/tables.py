"""Tables of what a run found, such as which optimizers train a stack as its members would be trained.

A test records a cell with pytest's `record_property("cell", ...)`: table, row, column, and what the cell says if the
test passes and if it fails. ``python -m conformance.report.tables conformance-result.json`` prints them as Markdown.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.report.results import RequirementResult, Status

Cell = Mapping[str, str]
Tables = Mapping[str, Sequence[Cell]]
# What cells say of an operation, beside what it answers.
REFUSED = "refused"
WRONG = "wrong"
EMPTY = "-"
MAX_LISTED = 20  # rows whose names fit on a screen that says other things too


def collect_tables(table: Sequence[RequirementResult], recorded: Mapping[str, Sequence[Cell]]) -> dict[str, list[Cell]]:
    """By title, what each implementation has in each row and column; `recorded` holds the cells of each test."""
    found: dict[str, list[Cell]] = {}
    for row in table:
        for case in row.cases:
            for cell in recorded.get(case.test, []):
                says = cell["passes"] if case.status is Status.CONFORMS else cell["fails"]
                place = {"implementation": row.implementation, "row": cell["row"], "column": cell["column"]}
                found.setdefault(cell["table"], []).append({**place, "says": says})
    return found


def summarize_cells(cells: Sequence[Cell]) -> str:
    """What the cells say, and of whom: by name where the rows are few, else how many, and which are wrong."""
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
    """A row a line; where implementations differ, what each of them has."""
    columns = sorted({cell["column"] for cell in cells})
    yield f"| {title} | {' | '.join(columns)} |"
    yield "| --- " * (1 + len(columns)) + "|"
    for row in sorted({cell["row"] for cell in cells}):
        said = (sorted({c["says"] for c in cells if (c["row"], c["column"]) == (row, column)}) for column in columns)
        yield f"| {row} | {' | '.join(' / '.join(each) or EMPTY for each in said)} |"


def main(path: str) -> None:
    for title, cells in json.loads(Path(path).read_text(encoding="utf-8"))["tables"].items():
        sys.stdout.write("\n".join([*cells_as_markdown(cells, title), "", ""]))


if __name__ == "__main__":
    main(sys.argv[1])
