"""A guard for runs of plain pytest without workers: `os._exit` in what is judged can't pass for a verdict.

`conformance run` needs none, as it judges in a process of its own.
"""

import os
from typing import Any

import pytest

from conformance.utils.exit_codes import ExitCode

# Codes that say that there is a verdict.
JUDGED = (ExitCode.OK, ExitCode.NEGATIVE)
MESSAGE = b"\nERROR: INCOMPLETE: os._exit was called before the verdict\n"


class ExitGuard:
    """Hooks that put a function in the place of `os._exit` until the run ends."""

    def __init__(self) -> None:
        self.exit: Any = os._exit
        self.process = os.getpid()
        self.screen = os.dup(2)  # during a test, pytest captures what is written to standard error

    def pytest_sessionstart(self) -> None:
        os._exit = self._guarded_exit

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        os._exit = self.exit
        os.close(self.screen)

    def _guarded_exit(self, status: int) -> Any:
        # A copy of the process, made by a fork, may end as it likes.
        if status in JUDGED and os.getpid() == self.process:
            os.write(self.screen, MESSAGE)
            status = ExitCode.INTERRUPTED
        return self.exit(status)
