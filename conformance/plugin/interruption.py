"""Interruptions: a run that is told to stop ends with a verdict that says so."""

import signal
from types import FrameType
from typing import Any

import pytest

from conformance.plugin.session import Run
from conformance.utils.interrupts import heard_signals
from conformance.utils.text import describe_error, one_line, text_of

LONGEST = 400  # characters of an error that ended the run


class Interruption:
    """Hooks of each process of the run: they note in the run why it does not reach its end."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.before: dict[int, Any] = {}
        self.session: pytest.Session

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session
        # A worker that gets a signal has crashed in the test that it ran, and another one takes its place.
        if hasattr(session.config, "workerinput"):
            return
        for number in heard_signals():
            self.before[number] = signal.signal(number, self._stop)

    def pytest_unconfigure(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Stop at once. What is asked may swallow the exception: then the run stops after this test."""
        if self.run.judged:
            return  # nothing is left but to print and to write the verdict
        self.run.note_interruption(f"interrupted by {signal.Signals(number).name}")
        self.session.shouldstop = "interrupted"
        raise KeyboardInterrupt

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note why pytest ends the run: a signal, `pytest.exit`, or errors during collection."""
        said = " ".join(text_of(getattr(excinfo.value, "msg", excinfo.value)).split())
        caller = "pytest.exit" if isinstance(excinfo.value, pytest.exit.Exception) else ""
        self.run.note_interruption(": ".join(filter(None, ("interrupted", caller, said))))

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note an error of pytest, of the suite, or of a plugin."""
        self.run.internal_error = True
        self.run.note_interruption(f"internal error: {one_line(describe_error(excinfo.value), LONGEST)}")
