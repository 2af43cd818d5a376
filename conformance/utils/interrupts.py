"""Signals that ask a process to end, as exceptions: what it started can be ended first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Never

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on the first signal that asks for an end, and ignore the others that come after it.

    A signal that this process was started to ignore, as by ``nohup``, stays ignored.
    """
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # only the main thread may set handlers
    before = {number: signal.getsignal(number) for number in numbers}
    heard = [number for number in numbers if before[number] != signal.SIG_IGN]

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
