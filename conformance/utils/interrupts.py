"""Signals that ask a process to end, as exceptions: what it started can be ended first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Never

# SIGHUP comes when a terminal closes.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def heard_signals() -> list[int]:
    """Return the signals that this process may handle: what it was started to ignore, as by nohup, stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        return []  # only the main thread may set handlers
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on the first signal that asks for an end, and ignore the others that come after it."""
    heard = heard_signals()
    before = {number: signal.getsignal(number) for number in heard}

    def interrupt(*_: Any) -> Never:
        for number in heard:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in heard:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
