"""The verbs about result files: ``conformance compare``, ``explain`` and ``render``."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from conformance.cli import explain as explanation
from conformance.report import diff_text
from conformance.report import releases as recorded_releases
from conformance.report.diff import compare
from conformance.report.html import page as html_page
from conformance.report.html.diff import make_diff_step
from conformance.report.reader import Result
from conformance.report.writer import write_atomically

USAGE_ERROR = 4
RESULTS = "a result file (.json or .json.gz), a folder of result files, or a recorded release of torch, such as 2.8"
COMPARE = """\
Show what changed between results. For two results: what regressed, no longer runs, fails differently, was fixed, newly
runs, is new or gone, with known failures apart. For more results: a table of the requirements that changed."""
EXPLAIN = "Show everything known about one requirement: wording, tests, faults, known failures, and history by release."
RENDER = """\
Write results as one self-contained HTML page: the verdict, the changes from each result to the next, and the details of
each requirement, with a column for each result and implementation."""
PAGE = "conformance.html"
COMPARE_CODES = """\
exit codes: 0 nothing regressed; 1 something regressed or no longer runs and is not a known failure; 4 a usage error"""
CODES = "exit codes: 0 success; 4 a usage error"


class _Parser(argparse.ArgumentParser):
    """A parser that raises ValueError instead of exiting."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def make_compare_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance compare``."""
    parser = _Parser(prog="conformance compare", description=COMPARE, epilog=COMPARE_CODES)
    parser.add_argument("results", nargs="+", metavar="RESULT", help=RESULTS)
    parser.add_argument("--markdown", action="store_true", help="print a table as Markdown, also for two results")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write an HTML page with the results side by side"
    )
    return parser


def make_explain_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance explain``."""
    parser = _Parser(prog="conformance explain", description=EXPLAIN, epilog=CODES)
    parser.add_argument("requirement", metavar="ID", help="the id of a requirement, such as in_dims.negative")
    return parser


def make_render_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance render``."""
    parser = _Parser(prog="conformance render", description=RENDER, epilog=CODES)
    parser.add_argument("results", nargs="+", metavar="RESULT", help=RESULTS)
    parser.add_argument("--html", type=Path, default=Path(PAGE), metavar="FILE", help=f"the page (default {PAGE})")
    return parser


def main(verb: str, arguments: Sequence[str]) -> int:
    """Run a verb and return the exit code."""
    try:
        return VERBS[verb](arguments)
    except ValueError as mistake:
        sys.stderr.write(f"ERROR: {mistake}\n")
        return USAGE_ERROR


def compare_results(arguments: Sequence[str]) -> int:
    """Compare results and return the exit code."""
    asked = make_compare_parser().parse_args(arguments)
    results = recorded_releases.read_results(asked.results)
    if len(results) < 2:  # noqa: PLR2004 - a comparison needs two
        raise ValueError("expected at least two results, got one")
    steps = [(old, new, compare(old, new)) for old, new in recorded_releases.consecutive_pairs(results)]
    if asked.markdown:
        _print(
            recorded_releases.changes_as_markdown(
                recorded_releases.release_labels(results), recorded_releases.changed_requirements(results)
            )
        )
    elif len(results) > 2:  # noqa: PLR2004 - more than two are shown as a table
        _print(_table(results))
        _print(
            f"{' to '.join(recorded_releases.release_labels([old, new]))}: {diff_text.diff_summary(moved)}"
            for old, new, moved in steps
        )
    else:
        _print(diff_text.diff_lines(*steps[0]))
    if asked.html:
        _render(asked.html, results)
    return int(any(each.gating for _, _, moved in steps for each in moved))


def _table(results: Sequence[Result]) -> Iterator[str]:
    yield from recorded_releases.changes_as_text(
        recorded_releases.release_labels(results), recorded_releases.changed_requirements(results)
    )
    yield from recorded_releases.added_requirements(results)
    yield recorded_releases.LEGEND


def explain(arguments: Sequence[str]) -> int:
    """Explain a requirement and return the exit code."""
    _print(explanation.explain_lines(make_explain_parser().parse_args(arguments).requirement))
    return 0


def render(arguments: Sequence[str]) -> int:
    """Write results as an HTML page and return the exit code."""
    asked = make_render_parser().parse_args(arguments)
    _render(asked.html, recorded_releases.read_results(asked.results))
    return 0


def _render(path: Path, results: Sequence[Result]) -> None:
    text = html_page.render_page(
        results, [make_diff_step(old, new) for old, new in recorded_releases.consecutive_pairs(results)]
    )
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    _print([f"page: {path}"])


def _print(lines: Iterator[str] | Sequence[str]) -> None:
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe, e.g. `head`. Python must not try to write the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


VERBS = {"compare": compare_results, "explain": explain, "render": render}
