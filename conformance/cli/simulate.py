"""The verb ``conformance simulate``: the suite on a simulated second device, with every step that a real one takes."""

import argparse
import sys
from collections.abc import Sequence

from conformance.cli import run
from conformance.devices.probe import SIMULATED_DEVICE
from conformance.utils.probing import without_warnings

OPTIONS = ("--device=standin", f"--device-module={SIMULATED_DEVICE}", "--result=conformance-rehearsal.json")
# A torch backend written in Python kills the process when an exception leaves backward: PythonDeviceGuard calls into
# Python while the exception is set.
DEADLY = (
    "tests/test_gradients_hooks_and_modes.py::test_after_a_backward_that_fails_the_next_one_is_right",
    "tests/test_purity_checkpointing.py::test_a_checkpoint_in_a_member_is_refused",
)
DESCRIPTION = """\
Run the suite on a simulated second device, on the CPU.

The simulated device shows errors that only a device other than the CPU can show, such as a tensor created on the wrong
device. All options and tests that `conformance run` takes are passed on to it."""
EPILOG = f"""\
options set by this verb, which yours override:
  {" ".join(OPTIONS)}

exit codes: those of `conformance run`; 0 also where this torch does not support the simulated device (it needs 2.10)
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the verb's own arguments; it is used for the help text alone."""
    parser = argparse.ArgumentParser(
        prog="conformance simulate",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="options and tests for `conformance run`")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the suite on the simulated device and return the exit code; 0 where torch lacks support for it."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(make_parser().format_help())
        return 0
    try:
        with without_warnings():  # torch warns where NumPy is missing, and the suite does not use NumPy
            import conformance.devices.simulated  # noqa: F401 - importing it fails where torch does not support it
    except ImportError as reason:
        sys.stdout.write(f"simulation skipped: {reason}\n")
        return 0
    return run.main([*OPTIONS, *(f"--deselect={test}" for test in DEADLY), *arguments])
