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

MISTAKE = 4
NAMES = "a result file (.json or .json.gz), a folder of them, or a recorded release of torch, such as 2.8"
COMPARE = """\
What changed? Of two results: what regressed, no longer runs, fails differently, was fixed, newly runs, is new or gone,
with known failures apart. Of more, or of a folder: a table of the requirements that changed, by release."""
RENDER = """\
One page of HTML that needs nothing else: the verdict, what changed from each result to the next, and each requirement
with what was found of it, a column for each result."""
PAGE = "conformance.html"
CODES = (
    "exit codes: 0; 1 something regressed or no longer runs, and no known failure excuses it; 4 a mistake in one line"
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def main(verb: str, arguments: Sequence[str]) -> int:
    """Do what the verb says; returns the exit code."""
    try:
        return VERBS[verb](arguments)
    except ValueError as mistake:
        sys.stderr.write(f"ERROR: {mistake}\n")
        return MISTAKE


def compare_results(arguments: Sequence[str]) -> int:
    """What changed between results."""
    parser = _Parser(prog="conformance compare", description=COMPARE, epilog=CODES)
    parser.add_argument("results", nargs="+", metavar="RESULT", help=NAMES)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown, also of two")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page that shows them side by side, too")
    asked = parser.parse_args(arguments)
    results = recorded_releases.read_results(asked.results)
    if len(results) < 2:  # noqa: PLR2004 - what there is to compare
        raise ValueError("there is one result, and it takes two to compare")
    steps = [(old, new, compare(old, new)) for old, new in recorded_releases.consecutive_pairs(results)]
    if asked.markdown:
        _print(
            recorded_releases.changes_as_markdown(
                recorded_releases.release_labels(results), recorded_releases.changed_requirements(results)
            )
        )
    elif len(results) > 2:  # noqa: PLR2004 - likewise
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
    """What is known of one requirement."""
    parser = _Parser(prog="conformance explain", description="All that is known of one requirement.")
    parser.add_argument("requirement", metavar="ID", help="such as in_dims.negative")
    _print(explanation.explain_lines(parser.parse_args(arguments).requirement))
    return 0


def render(arguments: Sequence[str]) -> int:
    """A page of results."""
    parser = _Parser(prog="conformance render", description=RENDER)
    parser.add_argument("results", nargs="+", metavar="RESULT", help=NAMES)
    parser.add_argument("--html", type=Path, default=Path(PAGE), metavar="FILE", help=f"default: {PAGE}")
    asked = parser.parse_args(arguments)
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
        # Who reads has seen enough. What is left unwritten must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


VERBS = {"compare": compare_results, "explain": explain, "render": render}
