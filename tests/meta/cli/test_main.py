"""Does `conformance run` run the suite from any folder, and say what it takes?"""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from conformance.cli.main import HELP, VERBS, main
from conformance.spec.locations import CONFIGURATION, HOME
from conformance.utils.exit_codes import ExitCode
from conftest import NESTED, load

ONE = ("--implementation=torch.func", "--requirement=stacking.refuses_no_model")


@pytest.fixture
def run(tmp_path, capfd, monkeypatch):
    """`conformance run` from an empty folder. Its process does not know the profile of Hypothesis of these tests."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, nested=tuple(each for each in NESTED if "hypothesis" not in each)):
        code = main(["run", *nested, *arguments])
        printed = capfd.readouterr()
        return code, load(tmp_path / "conformance-result.json"), printed.out + printed.err

    return call


def cases(result):
    return [case["test"] for row in result["requirements"] for case in row["cases"] if case["status"] != "not run"]


def test_without_paths_it_runs_the_suite_and_no_file_of_the_callers(run, tmp_path):
    for name in ("conftest.py", "test_mine.py"):
        (tmp_path / name).write_text("raise RuntimeError\n", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n", encoding="utf-8")

    code, result, _ = run(*ONE)

    assert code == pytest.ExitCode.OK
    assert result["verdict"].startswith("CONFORMS AS FAR AS RUN")
    assert {case.partition("::")[0] for case in cases(result)} == {"tests/test_stacking_refusals.py"}


def files_at_home():
    """Return the names of files beside the suite, except for those of coverage, which follows each process."""
    return sorted(each.name for each in HOME.iterdir() if not each.name.startswith(".coverage"))


def test_what_it_writes_lies_in_the_callers_folder(run, tmp_path):
    before = files_at_home()

    run(*ONE, "-k", "nothing_like_it", nested=["-q"])

    written = {each.name for each in tmp_path.iterdir()}
    assert {".pytest_cache", "conformance-result.json"} <= written
    assert files_at_home() == before


@pytest.mark.parametrize("folder", ["", "tests/"], ids=["by-itself", "with-the-folder"])
def test_a_test_of_the_suite_is_found_from_any_folder(run, folder):
    code, result, _ = run(f"{folder}test_stacking_refusals.py::test_no_model_is_refused[torch.func-list]", *ONE)

    assert code == pytest.ExitCode.OK
    assert cases(result) == ["tests/test_stacking_refusals.py::test_no_model_is_refused[torch.func-list]"]


def test_a_file_of_the_callers_is_run_if_it_is_named(run, tmp_path):
    # Python imports a module of one name once, whichever folder it is in: no other test has one of this name.
    (tmp_path / "test_named.py").write_text("def test_it(device):\n    assert device is None\n", encoding="utf-8")

    code, result, printed = run("test_named.py")

    assert code == pytest.ExitCode.TESTS_FAILED
    assert result is None
    assert "device(type='cpu') is None" in printed


def test_a_mistake_is_one_line_and_has_the_exit_code_of_a_mistake(run):
    code, result, printed = run("--profile=quick")

    assert code == ExitCode.USAGE_ERROR == pytest.ExitCode.USAGE_ERROR
    assert result is None
    assert printed.count("ERROR: ") == 1


def test_the_clone_is_where_the_suite_is():
    assert (HOME / "README.md").is_file()
    assert CONFIGURATION.is_file()


@pytest.mark.parametrize("asked", ["-h", "--help"])
def test_help_says_which_verbs_there_are(capsys, asked):
    assert main([asked]) == 0
    assert capsys.readouterr().out == HELP


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        ([], f"a verb is required (choose from {', '.join(VERBS)}; --help describes them)"),
        (["--version", "--json"], "unrecognized arguments: --json"),
        (["--verson"], "unrecognized arguments: --verson; did you mean '--version'?"),
        (
            ["chek", "run"],
            f"verb: invalid choice 'chek' (choose from {', '.join(VERBS)}); did you mean 'check'?",
        ),
    ],
    ids=["nothing", "too-many", "option", "unknown"],
)
def test_without_a_verb_nothing_conforms(capsys, monkeypatch, arguments, mistake):
    monkeypatch.setattr(sys, "argv", ["conformance", *arguments])

    assert main() == ExitCode.USAGE_ERROR
    assert capsys.readouterr().err == f"ERROR: {mistake}\n"


def test_a_help_that_can_not_be_written_is_an_error_in_one_line(capsys, monkeypatch):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        code = main(["--help"])
        monkeypatch.undo()

    assert code == ExitCode.CANNOT_WRITE
    assert capsys.readouterr().err == "ERROR: can't write to standard output: No space left on device\n"


def test_an_interrupted_verb_is_one_line(capsys, monkeypatch):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("conformance.cli.main.VERBS", {"run": interrupt})

    assert main(["run"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "ERROR: interrupted\n"


def test_the_help_of_run_begins_with_the_suites_own_options(capfd):
    assert main(["run", "--help"]) == ExitCode.OK

    printed = capfd.readouterr().out
    own, _, of_pytest = printed.partition("The options of pytest are taken as well:")
    assert printed.startswith("usage: conformance run [options] [tests]")
    assert "--requirement ID" in own
    assert "--maxfail" in of_pytest


def test_check_is_a_verb(capsys):
    assert main(["check", "--input=3"]) == ExitCode.USAGE_ERROR
    assert capsys.readouterr().err == "ERROR: the following arguments are required: package.module:make_model\n"


def test_the_versions_are_told_without_importing_torch(capsys, monkeypatch):
    assert main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("conformance ")

    def version(name):
        if name == "torch":
            raise metadata.PackageNotFoundError
        return "1.2"

    monkeypatch.setattr(metadata, "version", version)

    assert main(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == "conformance 1.2 (no torch is installed)\n"
