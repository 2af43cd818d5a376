"""The parsers of the verbs about result files."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from conformance.cli.output import print_text
from conformance.utils.suggestions import did_you_mean

RESULTS = (
    "a result file (.json or .json.gz), a folder of result files, a recorded release of torch, such as 2.8, "
    "or 'recorded' for all of these"
)
COMPARE = """\
Show what changed between results. For two results: new silent failures, musts that regressed, no longer run or fail
differently, the rest, and what is newly asked; then drift, which is no change of a status. For more results: a table of
the requirements that changed."""
EXPLAIN = """\
Show everything known about one requirement: wording, tests, faults, known failures, and history by release; or what the
requirements of a chapter, or of a pattern, ask."""
RENDER = """\
Write results as one self-contained HTML page: the verdict, the changes from each result to the next, and the details of
each requirement, with a column for each result and implementation."""
TABLES = (
    "Print the tables of results as Markdown: for example, which optimizers train an ensemble as they train a member."
)
RECOVER = """\
Show how far a run came that died: its failures, the tests that were running at its end, and the number of results by
status. The run left a journal beside its result file."""
PAGE = "conformance.html"
COMPARE_CODES = """\
exit codes: 0 nothing regressed; 1 something regressed or no longer runs and is not a known failure, with --strict also
a new silent failure or a new known failure of a must; 4 a usage error; 9 standard output can't be written to"""
CODES = "exit codes: 0 success; 4 a usage error; 9 standard output can't be written to"


class Parser(argparse.ArgumentParser):
    """A parser that raises ValueError instead of exiting, and prints as all verbs do."""

    def error(self, message: str) -> NoReturn:
        _, unrecognized, names = message.partition("unrecognized arguments: ")
        near = did_you_mean(names.split(" ")[0], self._option_string_actions) if unrecognized else ""
        raise ValueError(f"{message}{near}")

    def _print_message(self, message: str, file: Any = None) -> None:  # noqa: ARG002 - as in argparse
        print_text(message)


def make_compare_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance compare``."""
    parser = Parser(prog="conformance compare", description=COMPARE, epilog=COMPARE_CODES)
    parser.add_argument("results", nargs="+", metavar="RESULT", help=RESULTS)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--markdown", action="store_true", help="print a table as Markdown, also for two results")
    shown.add_argument("--json", action="store_true", help="print the difference from each result to the next as JSON")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit with 1 for new silent failures and new known failures of musts as well",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write an HTML page with the results side by side"
    )
    return parser


def make_explain_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance explain``."""
    parser = Parser(prog="conformance explain", description=EXPLAIN, epilog=CODES)
    parser.add_argument(
        "requirement", metavar="NAME", help="an id, such as in_dims.negative, a pattern such as in_dims.*, or a chapter"
    )
    return parser


def make_render_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance render``."""
    parser = Parser(prog="conformance render", description=RENDER, epilog=CODES)
    parser.add_argument("results", nargs="+", metavar="RESULT", help=RESULTS)
    parser.add_argument("--html", type=Path, default=Path(PAGE), metavar="FILE", help=f"the page (default {PAGE})")
    return parser


def make_tables_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance tables``."""
    parser = Parser(prog="conformance tables", description=TABLES, epilog=CODES)
    parser.add_argument("results", nargs="+", metavar="RESULT", help=RESULTS)
    return parser


def make_recover_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance recover``."""
    parser = Parser(prog="conformance recover", description=RECOVER, epilog=CODES)
    parser.add_argument(
        "journal",
        type=Path,
        metavar="JOURNAL",
        help="the journal, such as conformance-result.json.partial, or the result file that it stands beside",
    )
    return parser
