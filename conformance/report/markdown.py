"""Tables in Markdown. A cell's text stays text: it can neither end its cell nor begin code or a link."""

import re
from collections.abc import Sequence

from conformance.utils.text import one_line

MAX_CELL = 300  # characters of a cell
# The characters that mean something within a line of Markdown. Underscores inside a word do not.
SPECIAL = re.compile(r"[\\|`*\[\]<>~&]|(?<!\w)_|_(?!\w)")


def table_row(cells: Sequence[str]) -> str:
    """Return one row; an empty cell stays empty."""
    return f"| {' | '.join(map(escape_cell, cells))} |"


def table_rule(columns: int) -> str:
    """Return the line below the heading."""
    return "| --- " * columns + "|"


def escape_cell(text: str) -> str:
    """Return the text of a cell on one line, at most MAX_CELL characters of it, with the signs of Markdown escaped."""
    return SPECIAL.sub(r"\\\g<0>", one_line(text, MAX_CELL)) or " "


def code_cell(text: str) -> str:
    """Return the text of a cell in the type of code, if it has no sign that ends its cell or its code."""
    flat = one_line(text, MAX_CELL)
    return escape_cell(flat) if "|" in flat or "`" in flat else f"`{flat}`"
