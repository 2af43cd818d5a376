"""The arguments of ``conformance check``."""

import argparse
import math
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

from conformance.model_check.caveats import known_failure_ids
from conformance.model_check.options import STEP_TIMEOUT
from conformance.model_check.steps import CHECKS, STEPS, unmatched
from conformance.model_check.uses import CHOICES
from conformance.utils.suggestions import invalid_choice

DESCRIPTION = """\
Check whether a model can be ensembled, whether the ensemble is right, and whether it is faster than a loop.

The model is imported, which runs its code. The import and all checks run in a child process; when the check ends, on
Linux nothing that the model started is left."""
EPILOG = """\
models, by package.module:name or path/to/file.py:name:
  a factory           a function or a class that returns a new member, with the arguments of --args and --kwargs
  a module            it is copied for each member, and the numbers of all copies but the first are varied
  a list              trained members, or a factory that returns such a list
  --states PATTERN    files of state dicts, one for each member, which the factory or the module is loaded with

inputs, one --input for each argument of forward, without the batch dimension:
  3x32x32             standard normal numbers in the dtype of the model
  3:complex128        standard normal numbers of another dtype
  17:0..999           integers (int64) from 0 to 999
  17:int32:0..999     integers of another dtype
  :0..9               one integer for each sample
  17:bool             True or False
  mask=17:bool        the argument of that name; graph.nodes=5x3 is an item of a dict
  unbatched:2x40:0..9 the whole shape, without a batch dimension
  shared:2x40:0..9    likewise, and all members get the same tensor
  :make_inputs        a function in the model's module (or package.module:make_inputs) that returns a tuple of all
                      arguments, a dict of keyword arguments, or a tensor; it is called once for each member, and a
                      tensor that is the same object each time is shared by all members

exit codes:
  0  all checks are right, or some are refused or are known failures of this torch (see the caveats)
  1  a check is wrong beyond what this torch's known failures say, crashes, hangs or was not asked; the ensemble is
     refused; or it can't be used --for what is asked
  2  the check was interrupted
  4  a usage error, or the model does not run by itself
  8  the environment can't answer: torch does not import, or the device does not work
  9  standard output, or the page of --html, can't be written to
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all arguments to a parser."""
    parser.add_argument(
        "model",
        metavar="package.module:make_model",
        help="a factory of members, one module, or a list of modules; path/to/file.py:make_model as well",
    )
    parser.add_argument("--args", metavar="LIST", help="arguments of the factory, such as '[3, 2]'")
    parser.add_argument("--kwargs", metavar="DICT", help="""keyword arguments of the factory, such as '{"width": 8}'""")
    parser.add_argument(
        "--states",
        action="append",
        default=[],
        metavar="PATTERN",
        help="files of state dicts such as 'runs/*.pt', or a folder of them: a member for each; repeatable",
    )
    parser.add_argument(
        "--input", action="append", default=[], metavar="SHAPE", help="an input of forward, see below; repeatable"
    )
    parser.add_argument(
        "--inputs",
        metavar="FILE",
        help="a file of torch.save with all inputs: a tuple, a dict of keyword arguments or a tensor, with the batch "
        "dimension; or a list of them, one for each member",
    )
    parser.add_argument(
        "--members",
        type=_positive_integer,
        help="number of members (default: as many as the list or the states, else 5)",
    )
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
    _add_verdict_arguments(parser)
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


def _add_verdict_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is asked, and what the exit code depends on."""
    parser.add_argument(
        "--for",
        dest="uses",
        action="extend",
        type=_choices(CHOICES),
        default=[],
        metavar="USE",
        help=f"exit with 1 unless the ensemble can be used for this: {', '.join(CHOICES)}; repeatable, or separated by "
        "commas (default: predict, and one way to train if the model can be trained); with it, only the checks that "
        "these uses need are asked",
    )
    parser.add_argument(
        "--accept",
        action="extend",
        type=_choices([*CHECKS, "members", *known_failure_ids()]),
        default=[],
        metavar="ID",
        help="a known failure of torch, or a check, that may fail; repeatable",
    )
    for name, what in (("--only", "ask only the checks"), ("--skip", "leave out the checks")):
        parser.add_argument(
            name,
            action="extend",
            type=_step_patterns,
            default=[],
            metavar="CHECK",
            help=f"{what} that match a name or a shell pattern; repeatable",
        )
    parser.add_argument(
        "--modes",
        action="extend",
        type=_choices(("train", "eval")),
        default=[],
        metavar="MODE",
        help="train, eval, or train,eval (default: the mode that the model is in, and of a model in train mode both)",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 for caveats and refused checks as well")


def _choices(names: Sequence[str]) -> Callable[[str], list[str]]:
    """Return a parser of names that are separated by commas."""

    def parse(text: str) -> list[str]:
        given = text.split(",")
        for name in given:
            if name not in names:
                # A nearest name is offered even if it is far, since a long list is not shown.
                (near,) = get_close_matches(name, names, 1, 0)
                said = invalid_choice(name, names)
                raise argparse.ArgumentTypeError(
                    said if "(" in said else f"invalid choice {name!r}; did you mean {near!r}?"
                )
        return given

    return parse


def _step_patterns(text: str) -> list[str]:
    patterns = text.split(",")
    for pattern in unmatched(patterns):
        raise argparse.ArgumentTypeError(invalid_choice(pattern, STEPS))
    return patterns


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
