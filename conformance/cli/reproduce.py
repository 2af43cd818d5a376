"""The verbs about reproducers: ``conformance reproduce`` runs one, ``conformance report`` writes an issue of it."""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from conformance.cli.output import print_error, print_lines
from conformance.cli.report_parsers import Parser
from conformance.diagnosis.known_reproducers import (
    NOT_SHOWN,
    SHOWN,
    NoTorchError,
    Reproducer,
    ScriptRun,
    find_reproducer,
    read_reproducer,
    reproducer_paths,
    run_reproducer,
)
from conformance.utils.exit_codes import ExitCode
from conformance.utils.text import one_line

MAX_ERROR = 600  # characters of a mistake: an argument may have many more
ID = """\
the name of a reproducer, or the id of a requirement that has exactly one; without it the known reproducers are
listed"""
REPRODUCE = """\
Show a script that reproduces a known bug of torch and needs nothing else, run it on the installed torch, and say what
it shows."""
REPORT = """\
Print an issue for PyTorch in Markdown: a known bug's title, environment, script, and expected and observed behavior.
The script is run on the installed torch, and has to show the bug there."""
REPRODUCE_CODES = """\
exit codes, those of the script: 0 the bug does not show; 1 it shows; 2 the script can't tell, for example because this
torch lacks the function; 4 a usage error; 8 torch does not import; 9 standard output can't be written to"""
REPORT_CODES = """\
exit codes: 0 success; 1 the bug does not show on this torch, and nothing is printed; 4 a usage error; 8 torch does not
import; 9 standard output can't be written to"""


def make_reproduce_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance reproduce``."""
    parser = Parser(prog="conformance reproduce", description=REPRODUCE, epilog=REPRODUCE_CODES)
    parser.add_argument("id", nargs="?", metavar="ID", help=ID)
    return parser


def make_report_parser() -> argparse.ArgumentParser:
    """Return the parser of ``conformance report``."""
    parser = Parser(prog="conformance report", description=REPORT, epilog=REPORT_CODES)
    parser.add_argument("id", nargs="?", metavar="ID", help=ID)
    return parser


def main(verb: str, arguments: Sequence[str]) -> int:
    """Run a verb and return the exit code. Raises OutputError."""
    parser, act = VERBS[verb]
    try:
        name = parser().parse_args(arguments).id
        if name is not None:
            return act(find_reproducer(name))
        print_lines(_list_lines())
    except ValueError as mistake:
        print_error(one_line(str(mistake)[:MAX_ERROR], MAX_ERROR))
        return ExitCode.USAGE_ERROR
    except NoTorchError as reason:
        print_error(f"environment can't answer: torch does not import: {reason}")
        return ExitCode.CANNOT_ANSWER
    return ExitCode.OK


def reproduce(path: Path) -> int:
    """Print a script, run it, print what it shows, and return its exit code."""
    reproducer = read_reproducer(path)
    print_lines([*reproducer.source.splitlines(), ""])
    run = run_reproducer(path)
    print_lines(["It printed:", *(f"  {line}" for line in run.printed.splitlines()), _verdict(reproducer, run)])
    return run.code


def report(path: Path) -> int:
    """Print an issue about the bug that a script shows, and return the exit code."""
    reproducer = read_reproducer(path)
    run = run_reproducer(path)
    if run.code != SHOWN:
        print_error(f"nothing to report: {_verdict(reproducer, run)}")
        return ExitCode.NEGATIVE
    print_lines(issue_lines(reproducer, run))
    return ExitCode.OK


def issue_lines(reproducer: Reproducer, run: ScriptRun) -> Iterator[str]:
    """Yield the issue in Markdown."""
    yield from (f"# {reproducer.title}", "")
    yield from ("## Environment", "", *(f"- {name}: {value}" for name, value in run.environment.items()), "")
    yield from ("## Script", "", *_fenced("python", reproducer.source), "")
    yield from ("## Expected", "", reproducer.expected, "")
    yield from ("## Observed", "", reproducer.observed, "", *_fenced("text", run.printed))


def _fenced(language: str, text: str) -> Iterator[str]:
    """Yield a block of code. Its fence is longer than any row of backticks in the text, which can't end it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    yield from (f"{fence}{language}", *text.splitlines(), fence)


def _verdict(reproducer: Reproducer, run: ScriptRun) -> str:
    says = {SHOWN: "shows the defect", NOT_SHOWN: "does not show the defect"}.get(run.code, "can't tell")
    return f"{reproducer.name}: {says} on torch {run.environment['torch']}"


def _list_lines() -> Iterator[str]:
    found = [read_reproducer(path) for path in reproducer_paths().values()]
    width = max((len(each.name) for each in found), default=0)
    yield from (f"{each.name:{width}}  {each.title}" for each in found)


VERBS = {"reproduce": (make_reproduce_parser, reproduce), "report": (make_report_parser, report)}
