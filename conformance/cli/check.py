"""The verb ``conformance check``: its arguments, progress output and exit code."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import NoReturn

from conformance.model_check import supervisor, terminal
from conformance.model_check.options import Request, UsageError
from conformance.model_check.result import USAGE_ERROR, CheckReport

DESCRIPTION = """\
Check whether a model can be ensembled, whether the ensemble is right, and whether it is faster than a loop.

The model is imported, which runs its code. The import and all checks run in a child process."""
EPILOG = """\
inputs, one --input for each positional argument of forward, without the batch dimension:
  3x32x32             standard normal numbers in the dtype of the model
  3:complex128        standard normal numbers of another dtype
  17:0..999           integers (int64) from 0 to 999
  17:int32:0..999     integers of another dtype
  :0..9               one integer for each sample
  17:bool             True or False
  :make_inputs        a function in the model's module (or package.module:make_inputs) that returns a tuple of all
                      arguments; it is called once for each member

exit codes:
  0  all checks are right, or some are refused
  1  a check is wrong or crashes, or the ensemble is refused
  4  a usage error, or the model does not run by itself
"""


class UsageErrorParser(argparse.ArgumentParser):
    """A parser that raises UsageError instead of exiting."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def make_parser() -> UsageErrorParser:
    """Return the parser of the verb's arguments."""
    parser = UsageErrorParser(
        prog="conformance check",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", metavar="package.module:make_model", help="the factory of members: a function or a class"
    )
    parser.add_argument(
        "--input", action="append", required=True, metavar="SHAPE", help="an input of forward, see below; repeatable"
    )
    parser.add_argument("--members", type=_positive_integer, default=5, help="number of members (default 5)")
    parser.add_argument("--batch", type=_positive_integer, default=7, help="samples in each minibatch (default 7)")
    parser.add_argument("--device", default="cpu", help="any device of torch (default cpu)")
    parser.add_argument(
        "--device-module", metavar="PACKAGE", help="a package that registers the device, imported first"
    )
    parser.add_argument(
        "--dtype",
        help="dtype of the model (default: the most precise of the device for checks, torch's default for timings)",
    )
    parser.add_argument(
        "--implementation",
        default="torch.func",
        help="a name as for `conformance run`, or package.module:Name (default torch.func)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON, with progress on standard error")
    return parser


def _positive_integer(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"invalid value {text!r} (expected a positive integer)")
    return int(text)


def main(arguments: Sequence[str]) -> int:
    """Check a model and return the exit code."""
    # Like `python -m`: modules in the current folder can be imported.
    sys.path.insert(0, str(Path.cwd()))
    try:
        options = vars(make_parser().parse_args(arguments))
        as_json = options.pop("json")
        request = Request(inputs=tuple(options.pop("input")), **options)
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            report = _run_request(request)
    except UsageError as error:
        sys.stderr.write(f"ERROR: {error}\n")
        return USAGE_ERROR
    if as_json:
        sys.stdout.write(json.dumps(report.data(), indent=1) + "\n")
    return report.verdict[0]


def _run_request(request: Request) -> CheckReport:
    """Run the check and return its report; print each step as it begins and ends."""
    report = CheckReport(request)
    step = ""
    _print(terminal.heading_line(request))
    for name, value in supervisor.supervise(request):
        match name:
            case "environment":
                report.environment = value
                _print(terminal.environment_line(value, request))
            case "model":
                report.describe(value)
                _print(terminal.member_lines(report))
            case "begin":
                step = value
                _print(f"{step:{terminal.NAME}}", end="")
            case _:
                _print(terminal.answer_text(value, report.checks))
                report.add(step, value)
    _print("\n".join(terminal.ending_lines(report)))
    return report


def _print(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()
