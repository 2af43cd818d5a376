"""The arguments of ``conformance check``."""

import argparse
import math
from pathlib import Path

from conformance.model_check.options import STEP_TIMEOUT

DESCRIPTION = """\
Check whether a model can be ensembled, whether the ensemble is right, and whether it is faster than a loop.

The model is imported, which runs its code. The import and all checks run in a child process; when the check ends, on
Linux nothing that the model started is left."""
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
  1  a check is wrong, crashes, hangs or was not asked, or the ensemble is refused
  2  the check was interrupted
  4  a usage error, or the model does not run by itself
  8  the environment can't answer: torch does not import, or the device does not work
  9  standard output, or the page of --html, can't be written to
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all arguments to a parser."""
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
    parser.add_argument("--seed", type=_seed, default=0, help="seed of the random numbers (default 0)")
    parser.add_argument(
        "--timeout",
        type=_positive_number,
        default=STEP_TIMEOUT,
        metavar="SECONDS",
        help=f"time for each step (default {STEP_TIMEOUT:g}); after a step that hangs the others get a tenth of it, "
        "and after two none is asked",
    )
    parser.add_argument("--no-speed", dest="speed", action="store_false", help="do not measure the speed")
    add_report_arguments(parser)


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments about how the report is shown."""
    parser.add_argument(
        "--explain",
        action="store_true",
        help="say below each check what it means; without a model, print the meaning of all checks and exit",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one HTML page at the end")
    parser.add_argument(
        "--snippet",
        action="store_true",
        help="print code that ensembles the model, run before it is shown, with the report on standard error",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with progress on standard error")


def _positive_integer(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"invalid value {text!r} (expected a positive integer)")
    return int(text)


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"invalid value {text} (expected 0 to 2**63 - 1)")
    return number


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"invalid value {text!r} (expected a positive number)")
    return number
