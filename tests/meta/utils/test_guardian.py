"""Does the guardian end what a child left, and nothing else?"""

import io
import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.utils import guardian

SLEEP = ["sleep", "60"]


@pytest.fixture
def start():
    """Start a process with a mark in its environment; it ends with the test."""
    started = []

    def call(mark, command=SLEEP):
        process = subprocess.Popen(command, env=os.environ | {"MARK": mark}, start_new_session=True)
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.wait()


def guard(monkeypatch, *words):
    """Run the guardian in this process, with what its parent has said."""
    monkeypatch.setattr(guardian.signal, "signal", lambda *_: None)
    said = io.BytesIO(b"\0".join(words))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=said))
    guardian.main()


def test_it_ends_the_group_and_what_carries_the_mark(monkeypatch, start, tmp_path):
    mark, scratch = uuid.uuid4().hex, tmp_path / "scratch"
    (scratch / "deep").mkdir(parents=True)
    child, grandchild, other = start("none"), start(mark), start(f"{mark}0")

    guard(monkeypatch, f"MARK={mark}".encode(), os.fsencode(scratch), b"%d" % child.pid, b"")

    assert (child.wait(5), grandchild.wait(5)) == (-9, -9)
    assert other.poll() is None
    assert not scratch.exists()


def test_a_parent_that_ended_at_once_left_nothing(monkeypatch, start):
    other = start("none")

    guard(monkeypatch, b"")

    assert other.poll() is None


def test_a_group_that_is_gone_is_no_error(monkeypatch, start):
    child, other = start("none"), start("none")
    child.kill()
    child.wait()

    guard(monkeypatch, uuid.uuid4().hex.encode(), b"", b"%d" % child.pid, b"")

    assert other.poll() is None


def test_processes_that_never_end_are_given_up(monkeypatch):
    monkeypatch.setattr(guardian, "MOST", 0.1)
    asked = []
    monkeypatch.setattr(guardian, "process_ids", lambda: [1])
    monkeypatch.setattr(guardian, "kill_if_marked", lambda pid, mark: asked.append(pid) is None)

    guardian.clean_up(b"MARK=x", None)

    assert asked


def test_what_can_t_be_looked_at_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(guardian, "PROC", tmp_path / "nothing")

    assert guardian.process_ids() == []
    assert not guardian.kill_if_marked(os.getpid(), b"MARK=x")  # no environment
    assert not guardian.kill_if_marked(2**22 + 1, b"MARK=x")  # no process


def test_it_needs_nothing_but_the_standard_library():
    script = Path(guardian.__file__)

    ended = subprocess.run([sys.executable, "-I", "-S", str(script)], input=b"", capture_output=True, check=True)

    assert ended.stdout == ended.stderr == b""
