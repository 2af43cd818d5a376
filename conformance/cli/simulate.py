"""``python -m conformance simulate``: the suite on a stand-in for a second device, step by step as on a real one.

Takes the options of ``conformance run``. Where this torch takes no stand-in it says so in one line, and that is all.
"""

import sys
from collections.abc import Sequence

from conformance.cli import main as command_line

OPTIONS = ("--device=standin", "--device-module=conformance.devices.simulated", "--result=conformance-rehearsal.json")
# torch's backends in Python end the process where an exception leaves backward: PythonDeviceGuard asks Python for its
# type meanwhile.
DEADLY = (
    "tests/test_gradients_hooks_and_modes.py::test_after_a_backward_that_fails_the_next_one_is_right",
    "tests/test_purity_checkpointing.py::test_a_checkpoint_in_a_member_is_refused",
)


def main(arguments: Sequence[str]) -> int:
    """The exit code of the run, or 0 where there is none to make."""
    try:
        import conformance.devices.simulated  # noqa: F401 - whether it can be had
    except ImportError as reason:
        sys.stdout.write(f"no rehearsal: {reason}\n")
        return 0
    return command_line.main(["run", *OPTIONS, *(f"--deselect={test}" for test in DEADLY), *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
