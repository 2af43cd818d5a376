"""Small helpers for writing Markdown."""

import re
from collections.abc import Iterable, Iterator, Sequence

URL = re.compile(r"https?://[^\s)]+[^\s).,;:]")
SPECIAL = re.compile(r"([\\*_\[\]<>{}#|$~])")
CODE = re.compile(r"(`+[^`]+`+)")


def escape(text: str) -> str:
    """Return plain text as Markdown that shows it unchanged; code in backticks stays code, addresses become links."""
    return "".join(part if i % 2 else _escape_words(part) for i, part in enumerate(CODE.split(" ".join(text.split()))))


def _escape_words(text: str) -> str:
    shown, end = "", 0
    for match in URL.finditer(text):
        shown += SPECIAL.sub(r"\\\1", text[end : match.start()]) + link(match.group())
        end = match.end()
    return shown + SPECIAL.sub(r"\\\1", text[end:])


def link(url: str) -> str:
    """Return a link that shows the address without its scheme."""
    shown = SPECIAL.sub(r"\\\1", url.partition("://")[2])
    return f"[{shown}]({url})"


def code(text: str) -> str:
    """Return inline code."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def cell(text: str) -> str:
    """Return Markdown that may stand in a cell of a table."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table, and an empty line."""
    yield f"| {' | '.join(head)} |"
    yield "| --- " * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(cell(str(each)) for each in row)} |"
    yield ""


def block(text: str, language: str = "text") -> Iterator[str]:
    """Yield the lines of a block of code, and an empty line."""
    yield from (f"```{language}", *text.rstrip("\n").splitlines(), "```", "")
