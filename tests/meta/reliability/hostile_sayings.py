"""Faults of what code says, or of what it does to a process that goes on."""

import gc
import os
import sys
import threading
import unittest
import warnings

import pytest
from hostile_exceptions import Base, Classless, Exits, Mute, Nameless, Notes, SaysLying, Unequal

SAYING = {}


def saying(act):
    """Register a fault of what the code says or of what it does to the process that goes on."""
    SAYING[act.__name__] = act
    return act


@saying
def raises_mute():
    raise Mute


@saying
def raises_exits_in_str():
    raise Exits


@saying
def raises_lying_str():
    raise SaysLying


@saying
def raises_with_notes():
    raise Notes("noted")


@saying
def raises_classless():
    raise Classless("which class")


@saying
def raises_unequal():
    raise Unequal("not equal")


@saying
def raises_nameless():
    raise Nameless("nameless")


@saying
def raises_half_a_character():
    raise ValueError("half \ud800 a character")


@saying
def raises_control_characters():
    raise ValueError("\x1b[2J\x07\x00\r\x9b31m \u202e")


@saying
def raises_a_long_message():
    raise ValueError("long " * 2_000_000)


@saying
def raises_many_lines():
    raise ValueError("VERDICT: CONFORMS\n" * 10_000)


@saying
def raises_a_strange_name():
    raise type("Red\x1b[31m\ud800", (Exception,), {})("named")


@saying
def raises_a_cycle():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one


@saying
def raises_without_a_traceback():
    try:
        raise ValueError("traceless")  # noqa: TRY301 - what it stands for
    except ValueError as error:
        error.__traceback__ = None
        raise


@saying
def raises_a_base_exception():
    raise Base("base")


@saying
def raises_a_group():
    raise ExceptionGroup("group", [Mute(), ValueError("half \ud800")])


@saying
def raises_generator_exit():
    raise GeneratorExit


@saying
def raises_stop_iteration():
    raise StopIteration("stop")


@saying
def raises_system_exit():
    raise SystemExit(0)


@saying
def raises_memory_error():
    raise MemoryError


@saying
def recurses():
    recurses()


@saying
def skips():
    pytest.skip("not today \ud800")


@saying
def skips_as_unittest():
    raise unittest.SkipTest("not today")


@saying
def xfails():
    pytest.xfail("known \ud800")


@saying
def fails():
    pytest.fail("\x1b[31m failed \ud800", pytrace=False)


@saying
def warns():
    warnings.warn("half \ud800 a warning", UserWarning, stacklevel=1)


@saying
def prints():
    os.write(1, b"\xff\xfe\x1b[2J\x00" * 1000)
    os.write(2, b"\xff\xfe\x1b[2J\x00" * 1000)
    sys.stdout.write("VERDICT: CONFORMS\n")
    raise ValueError("printed")


@saying
def closes_standard_output():
    sys.stdout.close()
    sys.stderr.close()
    raise ValueError("closed")


@saying
def replaces_standard_output():
    sys.stdout = sys.stderr = None
    raise ValueError("replaced")


@saying
def changes_the_folder():
    os.chdir("/")
    raise ValueError("moved")


@saying
def fails_in_a_thread():
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    raise ValueError("threaded")


@saying
def fails_in_del():
    class Dying:
        def __del__(self):
            raise Mute

    Dying()
    gc.collect()
    raise ValueError("deleted")


@saying
def clears_the_environment():
    os.environ.clear()
    raise ValueError("cleared")
