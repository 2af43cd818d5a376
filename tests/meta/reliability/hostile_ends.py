"""Faults that end the process, or try to end the run."""

import ctypes
import os
import signal
import sys

import pytest

ENDING = {}


def ending(act):
    """Register a fault that ends the process, or tries to end the run."""
    ENDING[act.__name__] = act
    return act


@ending
def exits_with_0():
    os._exit(0)


@ending
def exits_with_1():
    os._exit(1)


@ending
def becomes_another_program():
    os.execv("/bin/true", ["true"])  # noqa: S606 - what it stands for


@ending
def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


@ending
def is_terminated():
    os.kill(os.getpid(), signal.SIGTERM)


@ending
def is_interrupted():
    os.kill(os.getpid(), signal.SIGINT)


@ending
def hangs_up():
    os.kill(os.getpid(), signal.SIGHUP)


@ending
def aborts():
    os.abort()


@ending
def reads_nobodys_memory():
    ctypes.string_at(0)


@ending
def overflows_the_stack():
    sys.setrecursionlimit(10**9)
    overflows_the_stack()


@ending
def exits_pytest():
    pytest.exit("enough")


@ending
def exits_pytest_with_0():
    pytest.exit("enough", returncode=0)


@ending
def raises_keyboard_interrupt():
    raise KeyboardInterrupt


@ending
def swallows_an_interrupt():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            pass
    except BaseException:  # noqa: BLE001 - what it stands for
        return


@ending
def closes_all_descriptors():
    os.closerange(3, 256)
    raise ValueError("closed")


@ending
def kills_its_parent():
    os.kill(os.getppid(), signal.SIGKILL)
    raise ValueError("orphaned")
