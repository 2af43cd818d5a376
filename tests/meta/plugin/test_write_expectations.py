"""Does --write-expectations end a complete run with its failures as entries, and nothing else?"""

import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.plugin.outcomes import _builtin_type
from conformance.plugin.output import Output
from conformance.plugin.session import Run
from conformance.report.journal import Journal
from conformance.utils.exit_codes import ExitCode


def test_a_run_writes_its_failures(run_suite, tmp_path):
    path = tmp_path / "expectations.toml"
    asked = ("--implementation=torch.func", "--requirement=stacking.sequences", "--fault=ModuleListReversed")

    outcome = run_suite(*asked, f"--write-expectations={path}")

    assert outcome.code == ExitCode.NEGATIVE
    assert f"expectations: {path}" in outcome.printed
    (entry,) = tomllib.loads(path.read_text(encoding="utf-8"))["expectation"]
    assert (entry["requirement"], entry["implementation"], entry["raises"], entry["reason"]) == (
        "stacking.sequences",
        "torch.func",
        "AssertionError",
        "",
    )
    assert entry["test"].endswith("[torch.func-ModuleList]")
    assert "raises" not in next(case for row in outcome.result["requirements"] for case in row["cases"])


def test_a_run_that_is_interrupted_writes_nothing(run_suite, tmp_path):
    asked = ("--implementation=broken:Interrupting", "--requirement=stacking.sequences")

    outcome = run_suite(*asked, f"--write-expectations={tmp_path / 'expectations.toml'}")

    assert outcome.code == ExitCode.INTERRUPTED
    assert not (tmp_path / "expectations.toml").exists()


@pytest.mark.parametrize(("path", "status"), [("/dev/full", ExitCode.CANNOT_WRITE), ("/dev/null", ExitCode.OK)])
def test_a_file_that_can_not_be_written_sets_the_status(tmp_path, path, status):
    run = Run({}, [], "cpu", {}, tmp_path / "r.json", {}, None, {}, proposals=Path(path))
    output = Output(run, Journal(run.result, {}))
    output.proposals = "# nothing\n"
    lines = []
    screen = SimpleNamespace(write_line=lines.append)
    manager = SimpleNamespace(getplugin=lambda name: screen)
    session = SimpleNamespace(config=SimpleNamespace(pluginmanager=manager), exitstatus=ExitCode.OK)

    output.finish(session, {"conforms": True})

    assert session.exitstatus == status
    problems = [line for line in lines if line.startswith(f"ERROR: expectations: can't write {path}: ")]
    assert len(problems) == (status == ExitCode.CANNOT_WRITE)


class ForeignError(Exception):
    """Has no builtin type of its own."""


class UnsupportedError(ForeignError, NotImplementedError):
    """Is a builtin one too."""


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (None, ""),
        (KeyError("a"), "KeyError"),
        (UnsupportedError(), "NotImplementedError"),
        (ForeignError(), ""),
        (pytest.fail.Exception("Timeout"), ""),
    ],
    ids=str,
)
def test_an_entry_names_the_nearest_builtin_type(error, name):
    excinfo = SimpleNamespace(value=error) if error else None

    assert _builtin_type(SimpleNamespace(excinfo=excinfo)) == name
