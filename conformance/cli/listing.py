"""The verb ``conformance list``: names of requirements, cases, faults and others, found without importing torch."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from conformance.cli import list_rows
from conformance.cli.list_parsers import PARSERS, make_parser
from conformance.cli.list_rows import Row
from conformance.cli.output import print_error, print_lines
from conformance.spec.requirements import CHAPTERS, load_requirements
from conformance.utils.exit_codes import ExitCode
from conformance.utils.suggestions import invalid_choice
from conformance.utils.text import one_line

MAX_ERROR = 600  # characters of a mistake: an argument may have many more


@dataclass(frozen=True)
class Kind:
    """A kind of names: its rows, and the columns of a row as text."""

    rows: Callable[[argparse.Namespace], Iterator[Row]]
    columns: Callable[[Row], Sequence[str]]


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "requirements": Kind(
            list_rows.requirement_rows,
            lambda row: (row["id"], row["level"], str(row["known_failures"] or "-"), row["text"]),
        ),
        "cases": Kind(list_rows.case_rows, lambda row: (row["name"], row["kind"])),
        "faults": Kind(list_rows.fault_rows, lambda row: (row["name"], row["breaks"], row["text"])),
        "implementations": Kind(
            list_rows.implementation_rows,
            lambda row: (row["name"], "default" if row["default"] else "-", row["text"]),
        ),
        "releases": Kind(
            list_rows.release_rows,
            lambda row: (row["release"], ", ".join(f"{status} {n}" for status, n in row["requirements"].items())),
        ),
    }
)


def main(arguments: Sequence[str]) -> int:
    """Print the names that are asked for, and return the exit code."""
    try:
        kind, rest = _split_kind(arguments)
        asked = PARSERS[kind]().parse_args(rest)
        rows = list(KINDS[kind].rows(asked))
    except ValueError as mistake:
        print_error(one_line(str(mistake)[:MAX_ERROR], MAX_ERROR))
        return ExitCode.USAGE_ERROR
    print_lines(json.dumps(rows, indent=1).splitlines() if asked.json else _lines(kind, rows))
    return ExitCode.OK


def _split_kind(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the kind and the other arguments. What is neither a kind nor near to one is about requirements.

    Raises ValueError for a misspelt kind.
    """
    for place, each in enumerate(arguments):
        if each in KINDS:
            return each, [*arguments[:place], *arguments[place + 1 :]]
    if "-h" in arguments or "--help" in arguments:
        make_parser().parse_args(["--help"])
    if arguments and _is_nearest_to_a_kind(arguments[0]):
        raise ValueError(f"kind: {invalid_choice(arguments[0], KINDS)}")
    return "requirements", arguments


def _is_nearest_to_a_kind(name: str) -> bool:
    return any(near in KINDS for near in get_close_matches(name, [*KINDS, *CHAPTERS, *load_requirements()], 1))


def _lines(kind: str, rows: Sequence[Row]) -> Iterator[str]:
    cells = [KINDS[kind].columns(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)][:-1]
    for *first, last in cells:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(first, widths, strict=True)), last])
    yield f"{len(rows)} {kind if len(rows) != 1 else kind.removesuffix('s')}"
