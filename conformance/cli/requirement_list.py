"""The verb ``conformance list``: the requirements, by pattern, chapter and level. It does not import torch."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.cli.output import print_error, print_lines
from conformance.cli.report_parsers import Parser
from conformance.spec.expectations import DEFAULT, load_expectations
from conformance.spec.requirements import LEVELS, load_requirements
from conformance.spec.selection import select_requirements
from conformance.utils.exit_codes import ExitCode

DESCRIPTION = "List requirements: the id, the level, the number of known failures recorded for any torch, and the text."
CODES = "exit codes: 0 success; 4 a usage error; 9 standard output can't be written to"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance list``."""
    parser = Parser(prog="conformance list", description=DESCRIPTION, epilog=CODES)
    parser.add_argument("names", nargs="*", metavar="NAME", help="an id, a pattern such as in_dims.*, or a chapter")
    parser.add_argument("--level", action="append", metavar="|".join(LEVELS), help="only these; repeatable")
    parser.add_argument("--core", action="store_true", help="only requirements of the core profile")
    parser.add_argument("--known-failures", action="store_true", help="only requirements with known failures")
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Print the requirements that are asked for, and return the exit code."""
    try:
        asked = make_parser().parse_args(arguments)
        rows = list(_rows(asked))
    except ValueError as mistake:
        print_error(str(mistake))
        return ExitCode.USAGE_ERROR
    except SystemExit:  # after --help
        return ExitCode.OK
    print_lines(json.dumps(rows, indent=1).splitlines() if asked.json else _lines(rows))
    return ExitCode.OK


def _rows(asked: argparse.Namespace) -> Iterator[Mapping[str, Any]]:
    requirements = load_requirements()
    known = Counter(each.requirement for each in load_expectations(DEFAULT, requirements.keys()))
    for name in select_requirements(requirements, asked.names, asked.level or []) or requirements:
        each = requirements[name]
        if (each.core or not asked.core) and (known[name] or not asked.known_failures):
            facts = {"id": name, "level": each.level, "core": each.core, "known_failures": known[name]}
            yield facts | {"text": each.text, "source": each.source}


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        yield f"{row['id']:{width}}  {row['level']:10}  {row['known_failures'] or '-':>2}  {row['text']}"
    yield f"{len(rows)} requirements"
