"""The command line: ``conformance VERB ...``, or ``python -m conformance VERB ...``."""

import sys
from collections.abc import Sequence

MISTAKE = 4
HELP = """\
usage: conformance run [options] [tests]
       conformance check package.module:make_model --input 3x32x32 [options]
       conformance compare OLD NEW [options]
       conformance explain REQUIREMENT
       conformance render RESULT... [--html FILE]
       conformance simulate [options] [tests]

A conformance suite for PyTorch model ensembling.

verbs:
  run      judge a PyTorch build, a device or an implementation of your own
  check    judge a model: can it be ensembled, is the ensemble right, and is it faster than a loop?
  compare  what changed between result files, or between releases of torch
  explain  all that is known of one requirement
  render   result files as one page of HTML
  simulate run the suite on a simulated second device

`run` takes the options of pytest and of the suite: `conformance run --help` lists them. Without tests it runs the whole
suite. Tests are named as the result file names them: tests/test_forward.py, tests/test_forward.py::test_name.
`conformance check --help` says how inputs are described, and each other verb's --help what it takes.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments, by default those of the process, ask for; returns the exit code."""
    match sys.argv[1:] if arguments is None else arguments:
        case ["run", *rest]:
            return run(rest)
        case ["check", *rest]:
            return check(rest)
        case [("compare" | "explain" | "render") as verb, *rest]:
            return report(verb, rest)
        case ["simulate", *rest]:
            return simulate(rest)
        case ["-h" | "--help"]:
            sys.stdout.write(HELP)
            return 0
        case [other, *_]:
            mistake = f"there is no verb {other!r}"
        case _:
            mistake = "no verb"
    sys.stderr.write(f"{HELP}\nERROR: {mistake}\n")
    return MISTAKE


def run(arguments: Sequence[str]) -> int:
    """Run the suite; returns pytest's exit code."""
    from conformance.cli import run as run_command

    return run_command.main(arguments)


def check(arguments: Sequence[str]) -> int:
    """Check a model, in child processes; returns the exit code."""
    from conformance.cli import check as check_command

    return check_command.main(arguments)


def report(verb: str, arguments: Sequence[str]) -> int:
    """Compare, explain or show what runs have found; returns the exit code."""
    from conformance.cli import report as report_command

    return report_command.main(verb, arguments)


def simulate(arguments: Sequence[str]) -> int:
    """Run the suite on the simulated device; returns pytest's exit code."""
    from conformance.cli import simulate as simulate_command

    return simulate_command.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
