"""Does `conformance recover` say how far a run came, even if its journal is damaged?"""

import json
import os

import pytest

from conformance.cli.main import main
from conformance.report import recover
from conformance.report.journal import Journal
from conformance.report.results import Finding, Status
from conformance.utils.exit_codes import ExitCode

COUNTS = "INCOMPLETE: the run did not end; 0 conforms, 0 known failure, 0 not applicable, 0 not run, "


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """What the verb prints about a journal with this content."""
    monkeypatch.chdir(tmp_path)

    def call(content, name="result.json.partial", asked="result.json"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        code = main(["recover", asked])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return call


def event(**facts):
    return json.dumps(facts) + "\n"


def failure(test, message="off", **facts):
    return event(test=test, status="fails", message=message, **facts)


def test_a_run_that_died_leaves_its_failures_and_where_it_was(tmp_path, said):
    journal = Journal(tmp_path / "result.json", {"seed": 0})
    journal.open()
    journal.record_start("a")
    journal.record_finding("a", Finding(Status.FAILS, "member 1"))
    journal.record_start("b")
    text = (tmp_path / "result.json.partial").read_text(encoding="utf-8")
    journal.end()

    expected = [
        "FAILS a: member 1",
        "DIED in b",
        "skipped 1 line that no run writes as a whole",
        f"{COUNTS}1 fails",
    ]

    assert said(text + '{"began": "c') == (0, expected, "")


@pytest.mark.parametrize("asked", ["result.json", "result.json.partial", "moved.txt"])
def test_the_journal_or_its_result_may_be_named(asked, said):
    name = asked if asked == "moved.txt" else "result.json.partial"

    assert said(event(began="a"), name, asked) == (0, ["DIED in a", f"{COUNTS}0 fails"], "")


@pytest.mark.parametrize(
    "line",
    [
        "[1, 2]",
        "null",
        "[" * 100_000,
        '{"began": 3}',
        '{"began": "a", "test": "b"}',
        '{"options": []}',
        '{"test": "a", "status": "fine", "message": ""}',
        '{"test": "a", "status": "fails", "message": null}',
        '{"test": "a", "status": "fails", "message": "", "also": 1}',
        '{"test": ["a"], "status": "fails", "message": ""}',
        '{"began": "' + "a" * recover.MAX_LINE + '"}',
        b"\xff\xfe",
    ],
    ids=lambda line: str(line[:50]),
)
def test_a_line_of_no_journal_is_skipped_and_counted(line, said):
    line = line if isinstance(line, bytes) else line.encode()

    code, lines, _ = said(event(options={}).encode() + line + b"\n" + line + b"\n")

    assert code == 0
    assert lines == ["skipped 2 lines that no run writes as a whole", f"{COUNTS}0 fails"]


def test_what_it_quotes_is_one_printable_line_each(said):
    _, lines, _ = said(failure("a\x1b[2J", "off\nVERDICT: \ud800 CONFORMS" + "x" * 5_000) + event(began="\udc00\r"))

    assert len(lines) == 3
    assert all(line.isprintable() and len(line) <= recover.MAX_SHOWN for line in lines)


def test_thousands_of_failures_are_counted(said):
    _, lines, _ = said("".join(failure(f"t{i}") for i in range(recover.MAX_LISTED + 5)))

    assert len(lines) == recover.MAX_LISTED + 2
    assert lines[-2] == "5 more tests that failed or were running; the journal has their names"


def test_what_is_no_journal_is_refused(tmp_path, said, monkeypatch):
    assert said("{}\n")[::2] == (4, "ERROR: result.json.partial: is not the journal of a run\n")
    assert said("", asked="nowhere.json")[::2] == (4, "ERROR: nowhere.json: No such file or directory\n")
    assert said("", asked="x" * 300)[2].endswith("xxx: File name too long\n")
    os.mkfifo(tmp_path / "pipe.json.partial")
    assert said("", asked="pipe.json")[2] == "ERROR: pipe.json.partial: is not a regular file\n"
    monkeypatch.setattr(recover, "MAX_CASES", 1)
    assert said("".join(map(failure, "abc")))[0] == ExitCode.USAGE_ERROR
