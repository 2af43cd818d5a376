"""The verb ``conformance list``: what the suite holds, by kind. It does not import torch."""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from conformance.cli.output import print_error, print_lines
from conformance.cli.report_parsers import Parser
from conformance.spec.expectations import DEFAULT, load_expectations
from conformance.spec.index import load_index
from conformance.spec.requirements import CHAPTERS, LEVELS, load_requirements
from conformance.spec.selection import select_requirements
from conformance.utils.exit_codes import ExitCode
from conformance.utils.suggestions import did_you_mean
from conformance.utils.text import one_line

DESCRIPTION = """\
List what the suite holds. Of a requirement: the id, the level, the number of known failures recorded for any torch, and
the text. Of a case: its kind and its name, which test ids hold (`conformance run -k NAME`). Of a fault: the requirement
whose tests detect it. Of an implementation: whether a run judges it by default. Of a recorded release: the number of
requirements by status, in which each counts once for each implementation."""
CODES = "exit codes: 0 success; 4 a usage error; 9 standard output can't be written to"
KIND = "what to list, one of requirements, cases, faults, implementations, releases (default requirements)"
NAME = """\
an id, a pattern such as in_dims.*, or a chapter: only these requirements, or faults of their tests; of
faults, cases, implementations and releases also a name or a pattern, such as LSTM*"""
MAX_ERROR = 600  # characters of a mistake: an argument may have many more
Row = Mapping[str, Any]


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance list``."""
    parser = Parser(prog="conformance list", description=DESCRIPTION, epilog=CODES)
    parser.add_argument("names", nargs="*", metavar="[KIND] NAME", help=f"KIND: {KIND}; NAME: {NAME}")
    parser.add_argument("--level", action="append", metavar="|".join(LEVELS), help="only these; repeatable")
    parser.add_argument("--core", action="store_true", help="only requirements of the core profile")
    parser.add_argument("--known-failures", action="store_true", help="only requirements with known failures")
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Print what is asked for, and return the exit code."""
    try:
        asked = make_parser().parse_args(arguments)
        kind, names = _split(asked)
        rows = list(KINDS[kind](names, asked))
    except ValueError as mistake:
        print_error(one_line(str(mistake)[:MAX_ERROR], MAX_ERROR))
        return ExitCode.USAGE_ERROR
    print_lines(json.dumps(rows, indent=1).splitlines() if asked.json else _lines(kind, rows))
    return ExitCode.OK


def _split(asked: argparse.Namespace) -> tuple[str, Sequence[str]]:
    """Return the kind and the names; requirements are the kind that need not be named."""
    given: Sequence[str] = asked.names
    if given and given[0] in KINDS:
        if given[0] != "requirements" and (asked.level or asked.core or asked.known_failures):
            raise ValueError(f"list {given[0]}: --level, --core and --known-failures are for requirements")
        return given[0], given[1:]
    if given and given[0] not in CHAPTERS and given[0].isidentifier():
        raise ValueError(f"list: invalid choice {given[0]!r}{did_you_mean(given[0], [*KINDS, *CHAPTERS])}")
    return "requirements", given


def _requirement_rows(names: Sequence[str], asked: argparse.Namespace) -> Iterator[Row]:
    requirements = load_requirements()
    known = Counter(each.requirement for each in load_expectations(DEFAULT, requirements.keys()))
    for name in select_requirements(requirements, names, asked.level or [], "list") or requirements:
        each = requirements[name]
        if (each.core or not asked.core) and (known[name] or not asked.known_failures):
            facts = {"id": name, "level": each.level, "core": each.core, "known_failures": known[name]}
            yield facts | {"text": each.text, "source": each.source, "added": each.added}


def _fault_rows(names: Sequence[str], _: argparse.Namespace) -> Iterator[Row]:
    faults = load_index().faults
    named = {fault for name in names for fault in faults if fnmatchcase(fault, name)}
    others = [name for name in names if not any(fnmatchcase(fault, name) for fault in named)]
    for name in others:
        near = did_you_mean(name, faults)
        if near and name.isidentifier() and name not in CHAPTERS:
            raise ValueError(f"list faults: invalid choice {name!r}{near}")
    chosen = set(select_requirements(load_requirements(), others, [], "list faults"))
    for name, each in faults.items():
        if not names or name in named or each["breaks"] in chosen:
            yield {"name": name, **each}


def _case_rows(names: Sequence[str], _: argparse.Namespace) -> Iterator[Row]:
    rows = [{"kind": kind, "name": name} for kind, found in load_index().cases.items() for name in found]
    return _named("cases", rows, names)


def _implementation_rows(names: Sequence[str], _: argparse.Namespace) -> Iterator[Row]:
    rows = [{"name": name, **each} for name, each in load_index().implementations.items()]
    return _named("implementations", rows, names)


def _release_rows(names: Sequence[str], _: argparse.Namespace) -> Iterator[Row]:
    rows = [
        {"name": name, "file": each["file"], "statuses": each["statuses"]}
        for name, each in load_index().releases.items()
    ]
    return _named("releases", rows, names)


def _named(kind: str, rows: Sequence[Row], names: Sequence[str]) -> Iterator[Row]:
    """Yield the rows with one of these names; a name may be a pattern, or a kind of cases."""
    for name in names:
        if not any(_fits(row, name) for row in rows):
            near = did_you_mean(name, {row.get(key, "") for row in rows for key in ("name", "kind")})
            raise ValueError(f"list {kind}: invalid choice {name!r}{near}")
    yield from (row for row in rows if not names or any(_fits(row, name) for name in names))


def _fits(row: Row, name: str) -> bool:
    return fnmatchcase(row["name"], name) or row["name"] == name or row.get("kind") == name


KINDS: Mapping[str, Callable[[Sequence[str], argparse.Namespace], Iterator[Row]]] = MappingProxyType(
    {
        "requirements": _requirement_rows,
        "cases": _case_rows,
        "faults": _fault_rows,
        "implementations": _implementation_rows,
        "releases": _release_rows,
    }
)
COLUMNS: Mapping[str, Callable[[Row], Sequence[str]]] = MappingProxyType(
    {
        "requirements": lambda row: (row["id"], row["level"], str(row["known_failures"] or "-"), row["text"]),
        "cases": lambda row: (row["kind"], row["name"]),
        "faults": lambda row: (row["name"], row["breaks"], row["text"]),
        "implementations": lambda row: (row["name"], "default" if row["default"] else "-", row["text"]),
        "releases": lambda row: (row["name"], ", ".join(f"{status} {n}" for status, n in row["statuses"].items())),
    }
)


def _lines(kind: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the rows as aligned columns, and their number."""
    cells = [COLUMNS[kind](row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield f"{len(rows)} {kind if len(rows) != 1 else kind.removesuffix('s')}"
