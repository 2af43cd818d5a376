"""The verb ``conformance check``: its progress output and exit code."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NoReturn

from conformance.cli.check_screen import Screen, open_screen
from conformance.cli.output import print_error, print_lines
from conformance.model_check import page, supervisor, terminal
from conformance.model_check.arguments import DESCRIPTION, EPILOG, add_arguments
from conformance.model_check.options import CannotAnswerError, Request, UsageError
from conformance.model_check.result import CheckReport
from conformance.model_check.steps import FORWARDS
from conformance.utils.exit_codes import ExitCode
from conformance.utils.files import error_reason, write_file, write_problem
from conformance.utils.interrupts import interruptible


class UsageErrorParser(argparse.ArgumentParser):
    """A parser that raises UsageError instead of exiting, and OutputError if it can't print its help."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def print_help(self, file: Any = None) -> None:  # noqa: ARG002 - argparse's signature
        print_lines(self.format_help().splitlines())


def make_parser() -> UsageErrorParser:
    """Return the parser of the verb's arguments."""
    parser = UsageErrorParser(
        prog="conformance check",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Check a model and return the exit code. Raises OutputError and KeyboardInterrupt."""
    try:
        with interruptible():
            return _check(arguments)
    except UsageError as error:
        print_error(str(error))
        return ExitCode.USAGE_ERROR
    except CannotAnswerError as error:
        print_error(f"environment can't answer: {error}")
        return ExitCode.CANNOT_ANSWER


def _check(arguments: Sequence[str]) -> int:
    if sys.flags.optimize:
        raise UsageError("python -O removes the assertions of the suite")
    if list(arguments) == ["--explain"]:
        print_lines(terminal.explanation_lines())
        return ExitCode.OK
    # Like `python -m`: modules in the current folder can be imported. The folder may have been removed.
    with suppress(OSError):
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the text is enough
    options = vars(make_parser().parse_args(arguments))
    shown = {name: options.pop(name) for name in ("json", "html", "explain")}
    _check_writable(shown["html"])
    options["inputs_file"], options["inputs"] = options.pop("inputs"), options.pop("input")
    given: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in options.items()}
    request = Request(**given)
    if not request.steps:
        raise UsageError("--only, --skip: no check is left")
    with redirect_stdout(sys.stderr if shown["json"] or request.snippet else sys.stdout):
        report = run_request(request, explained=shown["explain"])
    if shown["json"]:
        print_lines(json.dumps(report.data(), indent=1).splitlines())
    elif report.snippet:
        print_lines(terminal.snippet_lines(report.snippet))
    written = shown["html"] is None or _write_page(report, shown["html"])
    return report.verdict[0] if written else ExitCode.CANNOT_WRITE


def run_request(request: Request, *, explained: bool) -> CheckReport:
    """Run the check and return its report; show each step as it begins and ends, with its meaning if `explained`."""
    report = CheckReport(request)
    with open_screen() as screen:
        screen.show(terminal.heading_line(request))
        with closing(supervisor.supervise(request)) as events:
            step = ""
            for name, value in events:
                step = value if name == "begin" else step
                if name == "end":
                    _take_answer(step, value, report, screen)
                    meaning = terminal.meaning_line(step, screen.width)
                    if explained and meaning and not _is_moot(report, step):
                        screen.show(meaning)
                else:
                    _take_event(name, value, report, screen)
        screen.show("\n".join(terminal.ending_lines(report, screen.width)))
    return report


def _take_event(name: str, value: Any, report: CheckReport, screen: Screen) -> None:
    match name:
        case "environment":
            report.environment = value
            screen.show(terminal.environment_line(value, report.request))
        case "model":
            report.describe(value)
            screen.show(terminal.member_lines(report, screen.width))
        case "begin" if not _is_moot(report, value):
            screen.begin(value)
        case "waiting":
            screen.note(value)
        case "printed":
            screen.printed(value)


def _take_answer(step: str, answer: Mapping[str, Any], report: CheckReport, screen: Screen) -> None:
    if step == FORWARDS[-1] and answer["status"] == "not applicable" and report.plain_failure is not None:
        screen.end("not applicable: see the verdict; nothing else is asked", answer["status"])
    elif not _is_moot(report, step):
        screen.end(terminal.answer_text(answer, report.checks, screen.width), answer["status"])
    report.add(step, answer)


def _is_moot(report: CheckReport, step: str) -> bool:
    """Return True if a step needs no line of its own, as the model does not run by itself: the verdict says it."""
    return step not in FORWARDS and report.plain_failure is not None


def _check_writable(path: Path | None) -> None:
    problem = write_problem(path) if path else None
    if problem:
        raise UsageError(f"--html: can't write {path}: {problem}")


def _write_page(report: CheckReport, path: Path) -> bool:
    """Write the page; return False after a line that says why if it can't be written."""
    try:
        write_file(path, page.render_page(report).encode())
    except OSError as error:
        print_error(f"--html: can't write {path}: {error_reason(error)}")
        return False
    return True
