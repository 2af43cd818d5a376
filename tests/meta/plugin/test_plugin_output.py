"""Does a file that can't be written cost no verdict, and its own exit code only where it was asked for?"""

from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.plugin.hooks import open_journal
from conformance.plugin.output import Output
from conformance.plugin.session import Run
from conformance.report.journal import Journal
from conformance.spec.locations import HOME
from conformance.utils.exit_codes import ExitCode


def a_run(result, **options):
    return Run({}, [], "cpu", {}, Path(result), {}, None, {}, **options)


class Screen:
    """A terminal that remembers its lines."""

    def __init__(self):
        self.lines = []

    def write_line(self, line):
        self.lines.append(line)


def finish(run, screen=None):
    """End a run, and return its exit status."""
    manager = SimpleNamespace(getplugin=lambda name: screen)
    session = SimpleNamespace(config=SimpleNamespace(pluginmanager=manager), exitstatus=ExitCode.OK)
    Output(run, Journal(run.result, {})).finish(session, {"conforms": True})
    return session.exitstatus


@pytest.mark.parametrize("screen", [None, Screen()], ids=["none", "terminal"])
def test_a_result_is_written_with_and_without_a_terminal(tmp_path, screen):
    path = tmp_path / "result.json"

    status = finish(a_run(path), screen)

    assert status == ExitCode.OK
    assert path.exists()
    if screen:
        assert screen.lines == []  # the screen has named the file before


@pytest.mark.parametrize(("asked", "status"), [(False, ExitCode.OK), (True, ExitCode.CANNOT_WRITE)], ids=str)
def test_a_result_that_fails_sets_the_status_if_it_was_asked_for(asked, status):
    screen = Screen()

    assert finish(a_run("/dev/full", result_asked=asked), screen) == status
    assert screen.lines == ["ERROR: results: can't write /dev/full: No space left on device"]


def test_an_incomplete_run_is_not_compared():
    output = Output(a_run("result.json", baseline=object()), None)

    output.prepare(["counts"], {}, "VERDICT: INCOMPLETE", "interrupted")

    assert output.screen == [
        "counts",
        "not compared: the run is incomplete",
        "results: result.json",
        "VERDICT: INCOMPLETE",
    ]


def journal_of(run, argument="tests", collectonly=False):
    journal = Journal(run.result, {})
    config = SimpleNamespace(
        option=SimpleNamespace(collectonly=collectonly),
        args=[argument],
        invocation_params=SimpleNamespace(dir=HOME),
        add_cleanup=lambda function: None,
    )
    open_journal(config, run, journal)
    return journal


def test_a_journal_that_fails_is_a_mistake_if_the_result_was_asked_for(tmp_path):
    (tmp_path / "r.json.partial").mkdir()

    with pytest.raises(pytest.UsageError, match=r"^--result: can't write .*r.json.partial is not a regular file$"):
        journal_of(a_run(tmp_path / "r.json", result_asked=True))


def test_a_journal_that_fails_is_told_at_the_end_otherwise(tmp_path):
    (tmp_path / "r.json.partial").mkdir()

    assert journal_of(a_run(tmp_path / "r.json")).problem == "r.json.partial is not a regular file"


@pytest.mark.parametrize(("argument", "collectonly"), [("tests/meta", False), ("tests", True)])
def test_no_journal_is_opened_for_what_is_not_judged(tmp_path, argument, collectonly):
    assert journal_of(a_run(tmp_path / "r.json"), argument, collectonly).path is None
