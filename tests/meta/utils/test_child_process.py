"""Does a child process take nothing down but itself, and is it told how it ended?"""

import os
import signal
import time

import pytest

from conformance.utils.child_process import ChildDiedError, ChildError, iterate_in_child, run_in_child


def count(n):
    yield from range(n)


def fail(message):
    raise ValueError(message)


def count_and_fail(message):
    yield 0
    raise ValueError(message)


def count_and_die(how):
    yield 0
    how()


def leave():
    os._exit(3)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def hang():
    time.sleep(600)


def test_each_item_arrives():
    assert list(iterate_in_child(count, 3)) == [0, 1, 2]


def test_an_exception_arrives_after_the_items_before_it():
    items = iterate_in_child(count_and_fail, "on purpose")

    assert next(items) == 0
    with pytest.raises(ChildError, match=r"^ValueError: on purpose$"):
        next(items)


@pytest.mark.parametrize(("how", "code", "frame"), [(leave, 3, ""), (crash, -signal.SIGSEGV, "in crash")])
def test_a_child_that_dies_says_how(how, code, frame):
    items = iterate_in_child(count_and_die, how)

    assert next(items) == 0
    with pytest.raises(ChildDiedError) as died:
        next(items)
    assert died.value.exitcode == code
    assert frame in died.value.trace


def test_a_child_that_hangs_is_ended():
    items = iterate_in_child(count_and_die, hang, patience=5.0)

    assert next(items) == 0
    with pytest.raises(ChildDiedError) as died:
        list(items)
    assert died.value.exitcode is None


def test_a_function_in_a_child_fails_alone(capfd):
    run_in_child(print, "well")
    assert capfd.readouterr().out == ""  # the child's standard output goes to its standard error

    with pytest.raises(AssertionError, match=r"^in a child process: ValueError: on purpose$"):
        run_in_child(fail, "on purpose")
    with pytest.raises(AssertionError, match=r"^in a child process, which ended with 3$"):
        run_in_child(leave)
