"""The suite's own options of pytest. ``conformance run --help`` shows them before those of pytest."""

import argparse
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from conformance.devices.probe import FOR_CUSTOM, ONLY_FOR
from conformance.plugin.config import IMPLEMENTATIONS, PROFILES, RESULT
from conformance.plugin.repetition import MOST
from conformance.spec.expectations import DEFAULT
from conformance.spec.requirements import LEVELS

GROUP = "ensemble conformance"
USAGE = "conformance run [options] [tests]"


def register_options(parser: pytest.Parser) -> None:
    """Add the options to pytest's, which shows its groups of options in an order of its own: its help hides them."""
    group = parser.getgroup("conformance", GROUP)
    add_options(lambda name, **settings: group.addoption(name, **settings | {"help": argparse.SUPPRESS}))


def make_parser() -> argparse.ArgumentParser:
    """Return a parser of these options alone, for their help."""
    parser = argparse.ArgumentParser(prog="conformance run", usage=USAGE, add_help=False)
    add_options(parser.add_argument_group(GROUP).add_argument)
    return parser


def add_options(add: Callable[..., Any]) -> None:
    """Declare each option by a call of `add`, which takes the arguments of argparse's `add_argument`."""
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
