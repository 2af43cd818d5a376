"""Implementations whose `vmap` misbehaves: by what it says, by what it does to pytest, or by ending the process."""

import ctypes
import gc
import itertools
import os
import signal
import sys
import threading
import unittest
import warnings

import pytest

from conformance.implementations.torch_func import TorchFunc

SAYING = {}
ENDING = {}


class Hostile(TorchFunc):
    """Does what one of the functions below does whenever vmap is called."""

    def __init__(self, act):
        self.act = act
        self.name = act.__name__

    def vmap(self, func, *args, **kwargs):
        self.act()
        return super().vmap(func, *args, **kwargs)


def saying(act):
    """Register a fault of what the code says or of what it does to the process that goes on."""
    SAYING[act.__name__] = act
    return act


def ending(act):
    """Register a fault that ends the process, or tries to end the run."""
    ENDING[act.__name__] = act
    return act


class Mute(Exception):  # noqa: N818 - what it stands for
    def __str__(self):
        raise ValueError("no words")


class Exits(Exception):  # noqa: N818 - what it stands for
    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


class Lying(str):
    __slots__ = ()

    def __len__(self):
        raise RuntimeError("no length")

    def split(self, *_):
        raise RuntimeError("no words")

    encode = isprintable = splitlines = split


class SaysLying(Exception):  # noqa: N818 - what it stands for
    def __str__(self):
        return Lying("lies")


class Notes(Exception):  # noqa: N818 - what it stands for
    @property
    def __notes__(self):
        raise ValueError("no notes")


class Classless(Exception):  # noqa: N818 - what it stands for
    @property
    def __class__(self):
        raise ValueError("no class")


class Unequal(Exception):  # noqa: N818 - what it stands for
    def __eq__(self, other):
        raise ValueError("not comparable")

    __hash__ = None


class Meta(type):
    @property
    def __name__(cls):
        raise ValueError("no name")

    def __instancecheck__(cls, instance):
        raise ValueError("no instance")

    def __repr__(cls):
        raise ValueError("no repr")


class Nameless(Exception, metaclass=Meta):  # noqa: N818 - what it stands for
    pass


class Base(BaseException):
    pass


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


def each_says_something():
    """Return an implementation that does one after the other; two workers begin at different ones."""
    acts = list(SAYING.values())
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":
        acts = [*acts[len(acts) // 2 :], *acts[: len(acts) // 2]]
    turns = itertools.cycle(acts)
    made = Hostile(lambda: next(turns)())  # noqa: PLW0108 - another one at each call
    made.name = "by_turns"
    return made


by_turns = each_says_something()
globals().update({name: Hostile(act) for name, act in ENDING.items()})
