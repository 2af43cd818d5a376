"""Is a reproducer run in a process of its own, which can neither hang nor leave anything behind?"""

import fcntl
import json
import sys

import pytest
from reproducer_folder import SHOWS, make_folder

from conformance.diagnosis import run_script
from conformance.diagnosis.known_reproducers import (
    CANNOT_TELL,
    MAX_OUTPUT,
    NoTorchError,
    read_reproducer,
    run_reproducer,
)


@pytest.fixture
def reproducers(tmp_path, monkeypatch):
    return make_folder(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("body", "end"),
    [
        ("import os\nos.kill(os.getpid(), 9)\n", "its process ended with SIGKILL\n"),
        ("sys.exit(7)\n", "its process ended with exit code 7\n"),
    ],
    ids=["signal", "other-code"],
)
def test_a_script_that_ends_in_another_way_can_not_tell(reproducers, body, end):
    run = run_reproducer(reproducers("times", f"print('one', flush=True)\n{body}"))

    assert (run.code, run.printed) == (CANNOT_TELL, f"one\n{end}")


def test_a_script_that_hangs_is_ended_with_what_it_started(reproducers, tmp_path):
    lock = tmp_path / "lock"
    body = f"import fcntl, os, time\nlock = open({str(lock)!r}, 'w')\nfcntl.flock(lock, fcntl.LOCK_EX)\nos.fork()\n"

    run = run_reproducer(reproducers("times", f"{body}time.sleep(600)\n"), timeout=2)

    assert (run.code, run.printed) == (CANNOT_TELL, "its process did not end within 2 seconds\n")
    with lock.open() as file:  # both processes hold the lock as long as they live
        fcntl.flock(file, fcntl.LOCK_EX)


def test_a_torch_that_crashes_when_it_is_imported_answers_nothing(reproducers, tmp_path):
    path = reproducers("times")
    (tmp_path / "site" / "torch.py").write_text("import os\nos.abort()\n", encoding="utf-8")

    with pytest.raises(NoTorchError, match="its process ended with SIGABRT"):
        run_reproducer(path)


def test_what_a_script_prints_is_printable_and_bounded(reproducers):
    run = run_reproducer(reproducers("times", "print('\\x1b[2J' + 'x' * 100_000)\nsys.exit(1)\n"))

    assert run.printed.startswith(r"\x1b[2Jxxx")
    assert len(run.printed) <= MAX_OUTPUT + 10


@pytest.mark.parametrize("docstring", ["It multiplies", "It multiplies\n\nExpected: A sum.", ""])
def test_a_script_without_an_issue_is_refused(reproducers, docstring):
    path = reproducers("times")
    path.write_text(f'"""{docstring}"""\n', encoding="utf-8")

    with pytest.raises(ValueError, match=r"times\.py: expected a docstring of a title, 'Expected: \.\.\.' and"):
        read_reproducer(path)


# The same in this process.


@pytest.mark.parametrize(
    ("body", "code"),
    [(SHOWS, 1), ("", 2), ("sys.exit()\n", 2), ("raise OSError\n", 2)],
    ids=["exit", "end", "no-code", "exception"],
)
def test_only_an_exit_code_is_an_answer(reproducers, capsys, body, code):
    assert run_script.main(str(reproducers("times", body))) == code
    mark, _, facts = capsys.readouterr().out.partition("\n")[0].partition(" ")
    assert mark == run_script.MARK.strip()
    assert list(json.loads(facts)) == ["torch", "python", "platform"]


def test_a_torch_that_does_not_import_has_an_exit_code(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)

    assert run_script.main("nowhere.py") == run_script.NO_TORCH
    assert capsys.readouterr().out.startswith("ModuleNotFoundError: import of torch halted")
