"""Does a signal that asks for an end become an exception?"""

import os
import signal
import threading

import pytest

from conformance.utils.interrupts import interruptible


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_is_an_exception_and_the_others_are_ignored(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def end_twice():
        with interruptible():
            try:
                os.kill(os.getpid(), number)
            finally:
                os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        end_twice()

    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_sets_no_handlers():
    said = []

    def run():
        with interruptible():
            said.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert said == [signal.getsignal(signal.SIGTERM)]
