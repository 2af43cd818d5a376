"""The command line: ``conformance VERB ...``, or ``python -m conformance VERB ...``."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from types import MappingProxyType

from conformance.cli.output import OutputError, print_error, print_lines, print_text
from conformance.utils.exit_codes import ExitCode
from conformance.utils.suggestions import did_you_mean, invalid_choice

HELP = """\
usage: conformance run [options] [tests]
       conformance check package.module:make_model --input 3x32x32 [options]
       conformance compare OLD NEW [options]
       conformance list [KIND] [NAME...] [options]
       conformance explain NAME
       conformance render RESULT... [--html FILE]
       conformance tables RESULT...
       conformance recover JOURNAL
       conformance reproduce [ID]
       conformance report [ID]
       conformance simulate [options] [tests]
       conformance --version

A conformance suite for PyTorch model ensembling.

verbs:
  run        judge a PyTorch build, a device or an implementation
  check      check whether a model can be ensembled, correctly and faster than by a loop
  compare    show what changed between result files, or between releases of torch
  list       list requirements, cases, faults, implementations or recorded releases
  explain    show everything known about a requirement, or what a chapter asks
  render     write result files as one HTML page
  tables     print the tables of result files as Markdown
  recover    show how far a run came that died
  reproduce  show a script that reproduces a known bug, run it, and say what it shows on this torch
  report     print an issue for PyTorch about a known bug
  simulate   run the suite on a simulated second device

`run` and `simulate` take the options of pytest and of the suite: `conformance run --help` lists them. Without tests
they run the whole suite. Tests are named as in the result file, e.g. tests/test_forward.py::test_name.
`conformance VERB --help` describes the arguments and exit codes of each other verb.

exit codes of run:
  0  the verdict is positive
  1  the verdict is negative: a requirement fails, a test ended without an answer, or certify lacks a `must`
  2  the run was interrupted, or its process ended without a verdict
  3  an internal error of pytest or of the suite
  4  a usage error
  5  no test was selected
  8  the environment can't answer: torch does not import, or the device does not work or failed during the run
  9  a file that was asked for, or standard output, can't be written; the verdict stands on what could be
"""


def version_line() -> str:
    """Return the versions of the suite and of the installed torch, which is not imported."""
    try:
        torch = f"torch {metadata.version('torch')}"
    except metadata.PackageNotFoundError:
        torch = "no torch is installed"
    return f"conformance {metadata.version('ensemble-conformance')} ({torch})"


def run(arguments: Sequence[str]) -> int:
    """Run the suite and return pytest's exit code."""
    from conformance.cli import run as run_command

    return run_command.main(arguments)


def check(arguments: Sequence[str]) -> int:
    """Check a model, in child processes, and return the exit code."""
    from conformance.cli import check as check_command

    return check_command.main(arguments)


def compare(arguments: Sequence[str]) -> int:
    """Compare results and return the exit code."""
    from conformance.cli import report as report_command

    return report_command.main("compare", arguments)


def explain(arguments: Sequence[str]) -> int:
    """Explain a requirement and return the exit code."""
    from conformance.cli import report as report_command

    return report_command.main("explain", arguments)


def list_contents(arguments: Sequence[str]) -> int:
    """List what the suite holds and return the exit code."""
    from conformance.cli import listing

    return listing.main(arguments)


def render(arguments: Sequence[str]) -> int:
    """Write results as an HTML page and return the exit code."""
    from conformance.cli import report as report_command

    return report_command.main("render", arguments)


def tables(arguments: Sequence[str]) -> int:
    """Print the tables of results and return the exit code."""
    from conformance.cli import report as report_command

    return report_command.main("tables", arguments)


def recover(arguments: Sequence[str]) -> int:
    """Print how far a run came and return the exit code."""
    from conformance.cli import report as report_command

    return report_command.main("recover", arguments)


def reproduce(arguments: Sequence[str]) -> int:
    """Run a reproducer and return its exit code."""
    from conformance.cli import reproduce as reproduce_command

    return reproduce_command.main("reproduce", arguments)


def report(arguments: Sequence[str]) -> int:
    """Print an issue about a known bug and return the exit code."""
    from conformance.cli import reproduce as reproduce_command

    return reproduce_command.main("report", arguments)


def simulate(arguments: Sequence[str]) -> int:
    """Run the suite on the simulated device and return pytest's exit code."""
    from conformance.cli import simulate as simulate_command

    return simulate_command.main(arguments)


OPTIONS = ("--help", "--version")
VERBS: Mapping[str, Callable[[Sequence[str]], int]] = MappingProxyType(
    {
        "run": run,
        "check": check,
        "compare": compare,
        "list": list_contents,
        "explain": explain,
        "render": render,
        "tables": tables,
        "recover": recover,
        "reproduce": reproduce,
        "report": report,
        "simulate": simulate,
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb that the arguments (by default those of the process) name, and return its exit code."""
    try:
        try:
            return _run_verb(sys.argv[1:] if arguments is None else arguments)
        finally:
            print_text("")  # what is left to write, such as a help text, may fail to be written
    except OutputError as error:
        print_error(str(error))
        return ExitCode.CANNOT_WRITE
    except KeyboardInterrupt:
        print_error("interrupted")
        return ExitCode.INTERRUPTED


def _run_verb(arguments: Sequence[str]) -> int:
    match arguments:
        case [verb, *rest] if verb in VERBS:
            return VERBS[verb](rest)
        case ["-h" | "--help"]:
            print_lines(HELP.splitlines())
            return ExitCode.OK
        case ["--version"]:
            print_lines([version_line()])
            return ExitCode.OK
        case ["-h" | "--help" | "--version", other, *_]:
            mistake = f"unrecognized arguments: {other}"
        case [other, *_] if other.startswith("-"):
            mistake = f"unrecognized arguments: {other}{did_you_mean(other, OPTIONS)}"
        case [other, *_]:
            mistake = f"verb: {invalid_choice(other, VERBS)}"
        case _:
            mistake = f"a verb is required (choose from {', '.join(VERBS)}; --help describes them)"
    print_error(mistake)
    return ExitCode.USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
