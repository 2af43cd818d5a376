"""Is the code of a run passed on only from a process that showed a verdict, and does no process outlive another?"""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from conformance.cli import judge, run
from conformance.utils import interrupts
from conformance.utils.exit_codes import ExitCode


@pytest.fixture
def child(monkeypatch, tmp_path):
    """Put a script in the place of the process that judges; `descriptor` is its end of the connection."""

    def child(script):
        path = tmp_path / "judge.py"
        path.write_text(f"import os, signal, sys, time\ndescriptor = int(sys.argv[3])\n{script}", encoding="utf-8")
        wrapper = tmp_path / "python"
        wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{path}" "$@"\n', encoding="utf-8")
        wrapper.chmod(0o755)
        monkeypatch.setattr(run.sys, "executable", str(wrapper))

    return child


@pytest.mark.parametrize("code", [0, 1, 4, 9])
def test_a_sealed_code_is_passed_on(child, code):
    child(f"os.write(descriptor, {run.SEAL!r} % {code}); sys.exit({code})")

    assert run.main([]) == code


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("sys.exit(0)", "exit code 0"),
        (f"os.write(descriptor, {run.SEAL!r} % 1); sys.exit(0)", "exit code 0"),
        (f"os.write(descriptor, b'x' * 5000 + {run.SEAL!r} % 0 + b'!'); sys.exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), signal.SIGABRT)", "SIGABRT"),
    ],
    ids=["silent", "another code", "garbage", "killed"],
)
def test_any_other_end_is_incomplete(child, capsys, script, how):
    child(script)

    assert run.main([]) == ExitCode.INTERRUPTED
    said = capsys.readouterr().err
    assert said == f"ERROR: INCOMPLETE: the process that judged ended with {how} and without a verdict\n"


def test_a_descendant_that_holds_the_connection_is_not_waited_for(child):
    child(f"os.write(descriptor, {run.SEAL!r} % 0)\nif os.fork() == 0: time.sleep(3)\nos._exit(0)")

    assert run.main([]) == ExitCode.OK


def test_a_signal_is_passed_on_and_ctrl_c_waits_for_the_child(child, tmp_path):
    child(
        f"end = lambda *_: (os.write(descriptor, {run.SEAL!r} % 2), os._exit(2))\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"open({str(tmp_path / 'ready')!r}, 'w').close()\n"
        "time.sleep(60)"
    )

    def interrupt():
        while not (tmp_path / "ready").exists():
            pass
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()

    assert run.main([]) == 2


def test_without_assertions_nothing_is_run(monkeypatch, capsys):
    class Flags:
        optimize = 1

    monkeypatch.setattr(run.sys, "flags", Flags)

    assert run.main([]) == ExitCode.USAGE_ERROR
    assert "python -O" in capsys.readouterr().err


def test_the_process_that_judges_seals_its_code(monkeypatch):
    reading, writing = os.pipe()
    monkeypatch.setattr(judge, "judge", len)
    monkeypatch.setattr(judge, "end_with_the_caller", lambda descriptor: None)

    code = judge.main(writing, ["a", "b", "c"])
    os.close(writing)

    assert code == 3
    assert os.read(reading, 100) == run.SEAL % 3
    os.close(reading)


def test_a_verdict_that_could_not_be_shown_is_no_success(monkeypatch, capsys):
    monkeypatch.setattr(judge, "judge", lambda arguments: sys.stdout.write("VERDICT") and 0)
    monkeypatch.setattr(judge, "end_with_the_caller", lambda descriptor: None)
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = judge.main(-1, [])
        monkeypatch.undo()

    assert code == ExitCode.CANNOT_WRITE
    assert capsys.readouterr().err == "ERROR: can't write to standard output: No space left on device\n"


def test_the_cache_is_off_where_it_can_not_be_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert judge.cache_options() == ["-o", f"cache_dir={tmp_path / '.pytest_cache'}"]

    monkeypatch.chdir("/proc")
    assert judge.cache_options() == ["-p", "no:cacheprovider"]


def test_the_process_that_judges_stops_when_its_caller_is_gone(monkeypatch):
    reading, writing = os.pipe()
    told = []
    monkeypatch.setattr(judge.os, "kill", lambda process, number: told.append((process, number)))
    os.write(writing, b"more")
    os.close(writing)

    judge.end_with_the_caller(reading)

    assert told == [(os.getpid(), signal.SIGTERM)]
    os.close(reading)


@pytest.fixture
def at_the_end():
    """The plugin of the process that judges, with its handlers of signals."""
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    yield judge.SignalsAtTheEnd()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_after_the_verdict_changes_nothing(at_the_end, number):
    at_the_end.pytest_unconfigure()

    os.kill(os.getpid(), number)

    assert signal.getsignal(number) == at_the_end.end


def test_a_signal_before_the_session_ends_the_process_as_usual(at_the_end, monkeypatch):
    sent = []
    monkeypatch.setattr(judge.os, "kill", lambda process, number: sent.append((process, number)))

    at_the_end.end(signal.SIGTERM, None)

    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
