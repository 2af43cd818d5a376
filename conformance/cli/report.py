"""The verbs about result files: ``conformance compare``, ``explain``, ``render``, ``tables`` and ``recover``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from conformance.cli import explain as explanation
from conformance.cli.output import print_error, print_lines
from conformance.cli.report_parsers import (
    make_compare_parser,
    make_explain_parser,
    make_recover_parser,
    make_render_parser,
    make_tables_parser,
)
from conformance.report import diff_text
from conformance.report import releases as recorded_releases
from conformance.report.diff import compare
from conformance.report.diff_json import json_lines
from conformance.report.html import page as html_page
from conformance.report.html.diff import make_diff_step
from conformance.report.reader import Result
from conformance.report.recover import find_journal, read_journal, summary_lines
from conformance.report.tables import cells_as_markdown
from conformance.spec.expectations import file_mistake
from conformance.utils.exit_codes import ExitCode
from conformance.utils.files import error_reason, write_file
from conformance.utils.text import one_line

MAX_ERROR = 600  # characters of a mistake: an argument may have many more


def main(verb: str, arguments: Sequence[str]) -> int:
    """Run a verb and return the exit code. Raises OutputError."""
    try:
        return VERBS[verb](arguments)
    except ValueError as mistake:
        print_error(one_line(str(mistake)[:MAX_ERROR], MAX_ERROR))
        return ExitCode.USAGE_ERROR


def compare_results(arguments: Sequence[str]) -> int:
    """Compare results and return the exit code."""
    asked = make_compare_parser().parse_args(arguments)
    results = recorded_releases.read_results(asked.results)
    if len(results) < 2:  # noqa: PLR2004 - a comparison needs two
        raise ValueError("expected at least two results, got one")
    steps = [compare(old, new) for old, new in recorded_releases.consecutive_pairs(results)]
    moved = [each for step in steps for each in step.transitions]
    code = ExitCode(any(each.gating_if_strict if asked.strict else each.gating for each in moved))
    if asked.json:
        print_lines(json_lines(steps, code))
    elif asked.markdown:
        print_lines(
            recorded_releases.changes_as_markdown(
                recorded_releases.release_labels(results), recorded_releases.changed_requirements(results)
            )
        )
    elif len(results) > 2:  # noqa: PLR2004 - more than two are shown as a table
        print_lines(_table(results))
        print_lines(
            f"{' to '.join(recorded_releases.release_labels([step.old, step.new]))}: {diff_text.diff_summary(step)}"
            for step in steps
        )
    else:
        print_lines(diff_text.diff_lines(steps[0]))
    if asked.html:
        _render(asked.html, results)
        print_lines([f"page: {asked.html}"] * (not asked.json))
    return code


def _table(results: Sequence[Result]) -> Iterator[str]:
    yield from recorded_releases.changes_as_text(
        recorded_releases.release_labels(results), recorded_releases.changed_requirements(results)
    )
    yield from recorded_releases.added_requirements(results)
    yield recorded_releases.LEGEND


def explain(arguments: Sequence[str]) -> int:
    """Explain a requirement and return the exit code."""
    print_lines(explanation.explain_lines(make_explain_parser().parse_args(arguments).requirement))
    return ExitCode.OK


def render(arguments: Sequence[str]) -> int:
    """Write results as an HTML page and return the exit code."""
    asked = make_render_parser().parse_args(arguments)
    _render(asked.html, recorded_releases.read_results(asked.results))
    print_lines([f"page: {asked.html}"])
    return ExitCode.OK


def _render(path: Path, results: Sequence[Result]) -> None:
    text = html_page.render_page(
        results, [make_diff_step(old, new) for old, new in recorded_releases.consecutive_pairs(results)]
    )
    try:
        write_file(path, text.encode())
    except OSError as error:
        raise file_mistake(path, error_reason(error)) from error


def tables(arguments: Sequence[str]) -> int:
    """Print the tables of results as Markdown and return the exit code."""
    results = recorded_releases.read_results(make_tables_parser().parse_args(arguments).results)
    for result, label in zip(results, recorded_releases.release_labels(results), strict=True):
        if len(results) > 1:
            print_lines([f"{label}:", ""])
        for title, cells in result.content["tables"].items():
            print_lines([*cells_as_markdown(cells, title), ""])
        if not result.content["tables"]:
            print_lines([f"{label} has no tables"])
    return ExitCode.OK


def recover(arguments: Sequence[str]) -> int:
    """Print how far a run came that died, and return the exit code."""
    path = find_journal(make_recover_parser().parse_args(arguments).journal)
    print_lines(summary_lines(read_journal(path)))
    return ExitCode.OK


VERBS = {"compare": compare_results, "explain": explain, "render": render, "tables": tables, "recover": recover}
