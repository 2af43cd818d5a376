"""Does a run leave word how far it came, without getting into the way of another run or of anybody's files?"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.report import journal
from conformance.report.results import Finding, Status


@pytest.fixture
def result(tmp_path):
    return tmp_path / "result.json"


def opened(result):
    writer = journal.Journal(result, {"seed": 0})
    writer.open()
    return writer


def test_a_journal_has_a_line_for_all_that_happens(result):
    writer = opened(result)
    writer.record_start("a")
    writer.record_finding("a", Finding(Status.FAILS, "member 1"))
    text = writer.path.read_text(encoding="utf-8")
    writer.end()

    options, began, found = (json.loads(line) for line in text.splitlines())
    assert options == {"options": {"seed": 0}}
    assert began == {"began": "a"}
    assert (found["test"], found["status"], found["message"]) == ("a", "fails", "member 1")
    assert list(result.parent.iterdir()) == []


def test_a_journal_that_was_never_opened_writes_nothing(result):
    writer = journal.Journal(result, {})

    writer.record_start("a")
    writer.end()

    assert list(result.parent.iterdir()) == []


def test_an_earlier_result_goes_when_a_run_begins(result):
    result.write_text("{}", encoding="utf-8")

    opened(result).end()

    assert list(result.parent.iterdir()) == []


def test_two_runs_have_a_journal_each(result):
    one, two = opened(result), opened(result)

    assert (one.path.name, two.path.name) == ("result.json.partial", "result.json.2.partial")
    one.end()
    assert [each.name for each in result.parent.iterdir()] == ["result.json.2.partial"]
    two.end()
    two.end()
    assert list(result.parent.iterdir()) == []


def test_the_journal_of_a_run_that_died_is_replaced(result):
    left = result.with_name("result.json.partial")
    script = "import os,sys,pathlib; from conformance.report.journal import Journal\n"
    script += "Journal(pathlib.Path(sys.argv[1]), {}).open(); os._exit(1)"
    subprocess.run([sys.executable, "-c", script, str(result)], check=False)
    assert left.exists()

    writer = opened(result)

    assert writer.path == left
    assert '"seed"' in left.read_text(encoding="utf-8")
    writer.end()


def test_a_link_in_the_place_of_the_journal_is_not_followed(result):
    target = result.with_name("target")
    target.write_text("kept", encoding="utf-8")
    result.with_name("result.json.partial").symlink_to(target)

    with pytest.raises(OSError, match="not a regular file"):
        opened(result)

    assert target.read_text(encoding="utf-8") == "kept"


def test_a_hard_link_in_the_place_of_the_journal_loses_only_its_name(result):
    target = result.with_name("target")
    target.write_text("kept", encoding="utf-8")
    os.link(target, result.with_name("result.json.partial"))

    opened(result).end()

    assert target.read_text(encoding="utf-8") == "kept"


def test_a_device_has_no_journal():
    opened(Path("/dev/null")).end()

    assert not Path("/dev/null.partial").exists()


def test_a_full_disk_ends_the_journal_and_not_the_run(result, monkeypatch):
    writer = opened(result)

    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

        def close(self):
            raise OSError(28, "No space left on device")

    vars(writer)["_file"].close()
    monkeypatch.setattr(writer, "_file", Full())
    writer.record_start("a")
    writer.record_start("b")
    writer.end()

    assert writer.problem == "No space left on device"
    assert list(result.parent.iterdir()) == []


def test_without_file_locks_a_journal_that_is_there_is_replaced(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    without = importlib.reload(journal)
    try:
        one, two = (without.Journal(result, {}) for _ in range(2))
        one.open()
        two.open()
        assert one.path == two.path
        two.end()
        one.end()
    finally:
        monkeypatch.undo()
        importlib.reload(journal)
