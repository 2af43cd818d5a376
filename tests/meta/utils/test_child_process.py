"""Does a child process take nothing down but itself, and is it told how it ended?"""

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from conformance.utils import child, guarded_process
from conformance.utils.child import Child, ChildDiedError
from conformance.utils.child_messages import PRINTED
from conformance.utils.child_process import ChildError, iterate_in_child, run_in_child


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


def leave_at_exit(message):
    atexit.register(leave)
    yield message


def hang_at_exit():
    atexit.register(hang)
    yield 1


def hold_the_pipes():
    """Leave a process that writes into the pipes for ever, and die."""
    if os.fork() == 0:
        while True:
            for handle in range(1, 20):
                try:
                    os.write(handle, b"garbage")
                except OSError:
                    continue
    leave()


def close_and(act):
    os.closerange(0, 1000)
    act()
    yield 0


def write_a_temporary_file():
    handle, name = tempfile.mkstemp()
    os.write(handle, b"left")
    yield name


def send_what_is_no_json():
    yield object()


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


def test_the_end_counts_as_well(monkeypatch):
    monkeypatch.setattr(child, "GRACE", 2.0)

    items = iterate_in_child(leave_at_exit, "well")
    assert next(items) == "well"
    with pytest.raises(ChildDiedError, match="exit code 3"):
        next(items)
    assert list(iterate_in_child(hang_at_exit)) == [1]  # ended after its time
    with pytest.raises(ChildError, match="TypeError: Object of type object is not JSON serializable"):
        list(iterate_in_child(send_what_is_no_json))


@pytest.mark.parametrize(
    ("function", "argument", "code"),
    [(count_and_die, hold_the_pipes, 3), (close_and, leave, 3), (close_and, hang, None)],
    ids=["held", "closed", "closed and alive"],
)
def test_it_does_not_wait_for_a_pipe(function, argument, code):
    begun = time.monotonic()

    with pytest.raises(ChildDiedError) as died:
        list(iterate_in_child(function, argument))

    assert died.value.exitcode == code
    assert time.monotonic() - begun < 10


def test_its_temporary_files_are_removed():
    with Child(write_a_temporary_file, (), contain=True) as started:
        _, name = started.receive(None)
        assert Path(name).exists()

    assert not Path(name).exists()


def test_it_needs_no_folder_for_temporary_files(monkeypatch):
    def refuse(*_):
        raise FileNotFoundError("no usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)

    with Child(print, ("heard",), contain=True) as started:
        # What is printed may come after the error that `print` yields nothing.
        while (message := started.receive(None))[0] != PRINTED:
            pass

    assert message == (PRINTED, "heard")


def test_standard_streams_that_are_closed_are_filled():
    script = "from conformance.utils.child_process import run_in_child as run; run(len, 'well')"

    ended = subprocess.run(["/bin/sh", "-c", f'exec "{sys.executable}" -c "{script}" <&- >&- 2>&-'], check=False)

    assert ended.returncode == 0


def test_an_exit_code_that_someone_else_took_is_unknown(monkeypatch):
    with Child(count, (1,)) as started:
        monkeypatch.setattr(guarded_process.os, "waitid", lambda *_: (_ for _ in ()).throw(ChildProcessError))
        assert started._process.exit_code == 0  # noqa: SLF001 - nothing else tells it
        monkeypatch.undo()


def test_a_guardian_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(guarded_process, "PATIENCE", 0.5)
    items = iterate_in_child(count, 1)
    next(items)
    guardian = items.gi_frame.f_locals["child"]._process._guardian  # noqa: SLF001 - nothing else leads to it
    guardian.send_signal(signal.SIGSTOP)

    assert list(items) == []

    assert guardian.wait() == -signal.SIGKILL
