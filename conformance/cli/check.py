"""The verb ``conformance check``: its arguments, its progress, its exit code."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import NoReturn

from conformance.model_check import supervisor, terminal
from conformance.model_check.options import Request, UsageError
from conformance.model_check.result import MISTAKE, CheckReport

DESCRIPTION = """\
Can this model be ensembled, is the ensemble right, and is it faster than a loop?

The model is loaded by import, which runs its code, as does each check. All of that happens in a child process."""
EPILOG = """\
inputs, one --input for each positional argument of forward, the batch not counted:
  3x32x32             normal numbers in the model's dtype
  3:complex128        of a dtype of their own
  17:0..999           integers from 0 to 999; 17:int32:0..999 of another dtype
  :0..9               one integer a sample
  17:bool             True or False
  :make_inputs        or package.module:make_inputs, a function that returns a tuple of all arguments; it is called once
                      for each member

exit codes: 0 right, or refused in part; 1 something is wrong or crashes, or the ensemble is refused altogether;
4 a mistake in what was asked, or the model does not run by itself
"""


class UsageErrorParser(argparse.ArgumentParser):
    """A parser that leaves it to the caller to end with a mistake."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def make_parser() -> UsageErrorParser:
    """The arguments."""
    made = UsageErrorParser(
        prog="conformance check",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("model", metavar="package.module:make_model", help="what makes a member: a function or a class")
    made.add_argument("--input", action="append", required=True, metavar="SHAPE", help="see below; repeatable")
    made.add_argument("--members", type=_positive_integer, default=5, help="how many (default 5)")
    made.add_argument("--batch", type=_positive_integer, default=7, help="samples in a minibatch (default 7)")
    made.add_argument("--device", default="cpu", help="any that torch knows (default cpu)")
    made.add_argument("--device-module", metavar="PACKAGE", help="what to import before torch knows the device")
    made.add_argument("--dtype", help="to check and to time in (default: the device's finest, and float32 for time)")
    made.add_argument("--implementation", default="torch.func", help="as for `conformance run`; also yours")
    made.add_argument("--seed", type=int, default=0, help="of the members' numbers (default 0)")
    made.add_argument("--json", action="store_true", help="print JSON, and the progress to standard error")
    return made


def _positive_integer(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)


def main(arguments: Sequence[str]) -> int:
    """Check a model; returns the exit code."""
    # As `python -m` has it: the models of the folder that one is in can be named.
    sys.path.insert(0, str(Path.cwd()))
    try:
        options = vars(make_parser().parse_args(arguments))
        as_json = options.pop("json")
        request = Request(inputs=tuple(options.pop("input")), **options)
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            document = _run_request(request)
    except UsageError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return MISTAKE
    if as_json:
        sys.stdout.write(json.dumps(document.data(), indent=1) + "\n")
    return document.verdict[0]


def _run_request(request: Request) -> CheckReport:
    """What was found; each step is shown as it begins and as it ends."""
    document = CheckReport(request)
    step = ""
    _print(terminal.heading_line(request))
    for name, value in supervisor.supervise(request):
        match name:
            case "environment":
                document.environment = value
                _print(terminal.environment_line(value, request))
            case "model":
                document.describe(value)
                _print(terminal.member_lines(document))
            case "begin":
                step = value
                _print(f"{step:{terminal.NAME}}", end="")
            case _:
                _print(terminal.answer_text(value, document.checks))
                document.add(step, value)
    _print("\n".join(terminal.ending_lines(document)))
    return document


def _print(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()
