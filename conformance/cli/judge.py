"""The process that judges: ``python -m conformance.cli.judge DESCRIPTOR ARGUMENTS``, started by ``conformance run``.

It ends early if the process that waits for it dies, and tells it by the descriptor with which code it ended.
"""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from conformance.cli.output import tolerate_lost_output
from conformance.cli.run import SEAL
from conformance.spec.locations import CONFIGURATION
from conformance.utils.exit_codes import ExitCode
from conformance.utils.interrupts import heard_signals


def main(descriptor: int, arguments: Sequence[str]) -> int:
    """Run pytest on the suite, and return its exit code."""
    threading.Thread(target=end_with_the_caller, args=(descriptor,), daemon=True).start()
    with tolerate_lost_output() as lost:
        code = judge(arguments)
    if lost and code == ExitCode.OK:
        code = ExitCode.CANNOT_WRITE
    with suppress(OSError):
        os.write(descriptor, SEAL % code)
    return code


def judge(arguments: Sequence[str]) -> int:
    """Run pytest in this process."""
    # Imported late, as pytest must be imported before the plugin's own imports.
    import pytest

    own = ["-c", str(CONFIGURATION), "--noconftest", *cache_options()]
    plugins = ["-p", "conformance.plugin", "-p", "conformance.plugin.suite_paths"]
    return int(pytest.main([*own, *plugins, *arguments], plugins=[SignalsAtTheEnd()]))


class SignalsAtTheEnd:
    """A plugin that ignores signals once the verdict is written: they can't make it incomplete any more."""

    def __init__(self) -> None:
        self.ended = False
        for number in heard_signals():
            signal.signal(number, self.end)

    def pytest_unconfigure(self) -> None:
        self.ended = True

    def end(self, number: int, _frame: FrameType | None) -> None:
        """End this process as the signal does by default. During the session `Interruption` has the signals."""
        if not self.ended:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def cache_options() -> list[str]:
    """Put pytest's cache into the caller's folder if that is possible."""
    try:
        folder = Path.cwd()
        with tempfile.TemporaryFile(dir=folder):
            return ["-o", f"cache_dir={folder / '.pytest_cache'}"]
    except OSError:
        return ["-p", "no:cacheprovider"]


def end_with_the_caller(descriptor: int) -> None:
    """Wait until the other side is gone, and stop the run as a signal to it would have done."""
    with suppress(OSError):
        while os.read(descriptor, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
