"""The options of a run, as pytest and the help of ``conformance run`` take them."""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from conformance.devices.probe import FOR_CUSTOM, ONLY_FOR
from conformance.plugin.config import IMPLEMENTATIONS, PROFILES, RESULT
from conformance.plugin.repetition import MOST
from conformance.spec.expectations import DEFAULT
from conformance.spec.requirements import LEVELS


def add_options(add: Callable[..., object]) -> None:
    """Call `add`, an `add_argument` of argparse or an `addoption` of pytest, for each option."""
    add(
        "--implementation",
        action="append",
        metavar="NAME",
        help="implementation under test: torch.func, functorch, reference, compiled, compiled-eager, "
        f"compiled-inductor or package.module:Name; repeatable (default: {' and '.join(IMPLEMENTATIONS)})",
    )
    add(
        "--device",
        metavar="NAME",
        help=f"any device of torch (default: the one named by {ONLY_FOR} or {FOR_CUSTOM}, or else cpu)",
    )
    add("--device-module", metavar="PACKAGE", help="a package that registers the device, imported first")
    add(
        "--device-profile",
        type=Path,
        metavar="FILE",
        help="a device profile: features the device lacks, its budgets and known failures",
    )
    add(
        "--profile",
        default="full",
        metavar="|".join(PROFILES),
        help="extent of the run (default: full); certify fails if a `must` was not run",
    )
    add(
        "--requirement",
        action="append",
        metavar="ID",
        help="run only the tests of this requirement, pattern (in_dims.*) or chapter; repeatable, or with commas",
    )
    add(
        "--level",
        action="append",
        metavar="|".join(LEVELS),
        help="run only the tests of requirements of this level; repeatable",
    )
    add("--seed", type=int, default=0, help="seed of members and inputs (default: 0)")
    add(
        "--repeat",
        type=int,
        default=1,
        metavar="N",
        help=f"ask each case N times with the same seed, at most {MOST}; a case that answers differently is unstable "
        "and fails the run (default: 1)",
    )
    add(
        "--expectations",
        type=Path,
        default=DEFAULT,
        metavar="FILE",
        help="file of known failures (default: the suite's)",
    )
    add("--result", type=Path, metavar="FILE", help=f"result file to write (default: {RESULT})")
    add(
        "--compare",
        metavar="RESULT",
        help="show what changed since a result file, a recorded release (2.8), or `recorded`: the newest release "
        "recorded up to this torch",
    )
    # pytest-html also defines --html: where it is installed, this option has a longer name.
    name = "--conformance-html" if metadata.entry_points(group="pytest11", name="html") else "--html"
    add(name, dest="page", type=Path, metavar="FILE", help="also write the result as an HTML page")
    add(
        "--write-expectations",
        type=Path,
        metavar="FILE",
        help="also write the failures as entries of an expectations file, each without its reason",
    )
    add("--fault", metavar="NAME", help="inject a fault of conformance.faults, which its tests must detect")
