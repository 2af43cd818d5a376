"""The parsers of ``conformance list``: one for each kind of names, and one for the help of the verb."""

import argparse
from collections.abc import Callable, Mapping
from types import MappingProxyType

from conformance.cli.report_parsers import CODES, NAMES, Parser
from conformance.spec.index import load_index
from conformance.spec.requirements import LEVELS

DESCRIPTION = """\
List what the suite has, by name. Without a kind, requirements are listed. `conformance list KIND --help` describes the
arguments of a kind."""
KINDS = "requirements, cases, faults, implementations or releases (default: requirements)"
REQUIREMENTS = (
    "List requirements: the id, the level, the number of known failures recorded for any torch, and the text."
)
CASES = """\
List cases: the name and the kind. The name is a part of the names of tests: `conformance run -k NAME` runs those that
contain it. An older torch lacks some cases."""
FAULTS = """\
List faults, which `conformance run --fault NAME` injects: the name, the requirement that each breaks, and what it
does."""
IMPLEMENTATIONS = """\
List the built-in implementations, which `conformance run --implementation NAME` judges: the name, whether it is judged
by default, and what it is."""
RELEASES = """\
List the recorded releases of torch, which `conformance compare` takes: the release, and its number of requirements by
status. Each requirement counts once for each of the default implementations."""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the verb as a whole; it is used for the help text alone."""
    parser = Parser(prog="conformance list", description=DESCRIPTION, epilog=CODES)
    parser.add_argument("kind", nargs="?", metavar="KIND", help=KINDS)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names or patterns, such as 'in_dims.*' or 'LSTM*'")
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")
    return parser


def make_requirements_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance list requirements``."""
    parser = _make_parser("requirements", REQUIREMENTS, NAMES)
    parser.add_argument("--level", action="append", metavar="|".join(LEVELS), help="only these; repeatable")
    parser.add_argument("--core", action="store_true", help="only requirements of the core profile")
    parser.add_argument("--known-failures", action="store_true", help="only requirements with known failures")
    return parser


def make_cases_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance list cases``."""
    parser = _make_parser("cases", CASES, "a name or a pattern, such as 'LSTM*'")
    parser.add_argument("--kind", action="append", metavar="|".join(load_index().cases), help="only these; repeatable")
    return parser


def make_faults_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance list faults``."""
    parser = _make_parser("faults", FAULTS, "a name or a pattern, such as 'Accepts*'")
    parser.add_argument(
        "--requirement",
        action="append",
        metavar="ID",
        help="only faults that break this requirement, pattern or chapter; repeatable, or with commas",
    )
    return parser


def make_implementations_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance list implementations``."""
    return _make_parser("implementations", IMPLEMENTATIONS, "a name or a pattern, such as 'compiled*'")


def make_releases_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance list releases``."""
    return _make_parser("releases", RELEASES, "a release or a pattern, such as '2.1*'")


def _make_parser(kind: str, description: str, names: str) -> argparse.ArgumentParser:
    parser = Parser(prog=f"conformance list {kind}", description=description, epilog=CODES)
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")
    return parser


PARSERS: Mapping[str, Callable[[], argparse.ArgumentParser]] = MappingProxyType(
    {
        "requirements": make_requirements_parser,
        "cases": make_cases_parser,
        "faults": make_faults_parser,
        "implementations": make_implementations_parser,
        "releases": make_releases_parser,
    }
)
