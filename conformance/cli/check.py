"""The verb ``conformance check``: its progress output and exit code."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing, redirect_stdout, suppress
from typing import Any, NoReturn

from conformance.cli.output import OutputError, print_error, print_lines, print_text
from conformance.model_check import supervisor, terminal
from conformance.model_check.arguments import DESCRIPTION, EPILOG, add_arguments
from conformance.model_check.options import CannotAnswerError, Request, UsageError
from conformance.model_check.result import CheckReport
from conformance.utils.exit_codes import ExitCode
from conformance.utils.interrupts import interruptible
from conformance.utils.text import escape_unprintable, one_line


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
    # Like `python -m`: modules in the current folder can be imported. The folder may have been removed.
    with suppress(OSError):
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the text is enough
    options = vars(make_parser().parse_args(arguments))
    as_json = options.pop("json")
    options["inputs_file"], options["inputs"] = options.pop("inputs"), options.pop("input")
    given: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in options.items()}
    request = Request(**given)
    if not request.steps:
        raise UsageError("--only, --skip: no check is left")
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        report = _run_request(request)
    if as_json:
        print_lines(json.dumps(report.data(), indent=1).splitlines())
    return report.verdict[0]


def _run_request(request: Request) -> CheckReport:
    """Run the check and return its report; print each step as it begins and ends."""
    report = CheckReport(request)
    screen = _Screen()
    screen.show(terminal.heading_line(request))
    try:
        with closing(supervisor.supervise(request)) as events:
            for name, value in events:
                match name:
                    case "environment":
                        report.environment = value
                        screen.show(terminal.environment_line(value, request))
                    case "model":
                        report.describe(value)
                        screen.show(terminal.member_lines(report))
                    case "begin":
                        screen.begin(value)
                    case "waiting":
                        screen.interrupt_line()
                        screen.show(f"{'':{terminal.NAME}}{value}")
                    case "printed":
                        screen.interrupt_line()
                        # A report in a file holds nothing of it.
                        with redirect_stdout(sys.stderr), suppress(OutputError):
                            screen.show(f"the model prints: {one_line(value)}")
                    case _:
                        step = screen.step
                        screen.end(terminal.answer_text(value, report.checks))
                        report.add(step, value)
    finally:
        screen.interrupt_line()
    screen.show("\n".join(terminal.ending_lines(report)))
    return report


class _Screen:
    """The lines of the progress. `step`: the step whose answer is waited for."""

    def __init__(self) -> None:
        self.step = ""
        self._started = False  # whether the line of the step has its beginning already

    def show(self, text: str) -> None:
        print_lines(text.split("\n"))

    def begin(self, step: str) -> None:
        self.step, self._started = step, True
        print_text(f"{escape_unprintable(step):{terminal.NAME}}")

    def interrupt_line(self) -> None:
        """End the line of the step, for lines of something else; the answer gets a line of its own later."""
        if self._started:
            print_text("\n")
        self._started = False

    def end(self, answer: str) -> None:
        if not self._started:
            self.begin(self.step)
        self._started = False
        self.show(answer)
