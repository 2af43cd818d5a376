"""Are options checked before the first test, and mistakes told in one line?"""

import importlib
from types import SimpleNamespace

import pytest
from suite_runs import ONE, USAGE

from conformance.plugin import config
from conformance.plugin.hooks import LONGEST
from conformance.utils.exit_codes import ExitCode


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device=abacus"], "--device: torch knows no device 'abacus'"),
        (
            ["--implementation=nope"],
            "--implementation: invalid choice 'nope' (choose from torch.func, functorch, reference, compiled, ",
        ),
        (["--implementation=broken:Incomplete"], "--implementation: 'broken:Incomplete' has no combine and vmap"),
        (["--requirement=forward.nope"], "--requirement: invalid choice 'forward.nope'"),
        (["--profile=quick"], "--profile: invalid choice 'quick' (choose from core, full, certify)"),
        (
            ["--hypothesis-profile=nope"],
            "--hypothesis-profile: invalid choice 'nope' (choose from conformance, nightly)",
        ),
        (["--repeat=0"], "--repeat: invalid value 0 (expected 1 to 1000)"),
        (["--repeat=1001"], "--repeat: invalid value 1001 (expected 1 to 1000)"),
        (["--seed=-1"], "--seed: invalid value -1 (expected 0 to 2**63 - 1)"),
        (
            ["--fault=ModuleListReverse"],
            "--fault: invalid choice 'ModuleListReverse'; did you mean 'ModuleListReversed'?",
        ),
        (["--expectations=nowhere.toml"], "nowhere.toml: No such file or directory"),
        (["--expectations=pyproject.toml"], "pyproject.toml: expected [[expectation]] tables and nothing else"),
        (
            ["--result=no/such/folder/result.json"],
            "--result: can't write no/such/folder/result.json: its folder does not exist",
        ),
        (["--result=."], "--result: can't write .: is not a regular file"),
        ([f"--implementation=i{number}" for number in range(33)], "--implementation: expected at most 32, got 33"),
        (["--html=no/such/folder/page.html"], "--html: can't write no/such/folder/page.html"),
        (["--html=."], "--html: can't write ."),
        (["--write-expectations=."], "--write-expectations: can't write .: is not a regular file"),
        (
            ["--write-expectations=no/such/folder/e.toml"],
            "--write-expectations: can't write no/such/folder/e.toml: its folder does not exist",
        ),
        (
            ["--write-expectations=fixtures/expectations.toml"],
            "--write-expectations: can't write fixtures/expectations.toml: it is the file of --expectations",
        ),
        (
            ["--html=page.html", "--write-expectations=page.html"],
            "--write-expectations: can't write page.html: it is the file of --html",
        ),
        (["--compare=nowhere.json"], "nowhere.json: No such file or directory"),
        (["--compare=0.9"], "0.9: no such file or recorded release (choose from 2.0.1, "),
        (["--compare=fixtures/releases"], "--compare: expected one result, got the folder fixtures/releases"),
        (["--device-module=no_such_vendor"], "--device-module: there is no package 'no_such_vendor'"),
        (["--device-profile=nowhere.toml"], "nowhere.toml: No such file or directory"),
        (
            ["--device-profile=fixtures/example_device_profile.toml"],
            "--device-profile: example_device_profile.toml is for 'xpu', but the run uses cpu",
        ),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else None,
)
def test_a_mistake_of_the_caller_is_one_line(run_suite, arguments, message):
    outcome = run_suite(*arguments)

    assert outcome.code == USAGE
    assert outcome.printed.count("ERROR: ") == 1
    assert f"ERROR: {message}" in outcome.printed
    assert "Traceback" not in outcome.printed
    assert outcome.result is None


def test_a_mistake_in_a_hostile_file_is_one_short_line(run_suite, tmp_path):
    path = tmp_path / "hostile.toml"
    path.write_text("".join(f'"\\u001b[2J{i}" = 1\n' for i in range(10_000)), encoding="utf-8")

    printed = run_suite(f"--expectations={path}").printed

    (line,) = (line for line in printed.splitlines() if line.startswith("ERROR: "))
    assert len(line) <= len("ERROR: ") + LONGEST
    assert "\x1b" not in printed


def test_a_device_that_does_not_work_has_its_own_exit_code(run_suite):
    outcome = run_suite("--device=meta")

    assert outcome.code == ExitCode.CANNOT_ANSWER
    assert "environment can't answer: device 'meta' does not work here" in outcome.printed
    assert "Traceback" not in outcome.printed
    assert outcome.result is None


def test_a_torch_that_does_not_import_has_it_too(run_suite, monkeypatch):
    real = importlib.import_module

    def broken(name, *package):
        if name == "torch":
            raise ImportError("libtorch.so: undefined symbol\nand more")
        return real(name, *package)

    monkeypatch.setattr(importlib, "import_module", broken)

    outcome = run_suite()

    assert outcome.code == ExitCode.CANNOT_ANSWER
    assert "can't answer: torch does not import: ImportError: libtorch.so: undefined symbol and more" in outcome.printed


@pytest.mark.parametrize(("set_to", "calls"), [(None, [1]), ("2", [])], ids=["by-default", "as-asked"])
def test_torch_has_one_thread_unless_the_environment_says_otherwise(run_suite, monkeypatch, set_to, calls):
    called = []
    monkeypatch.setattr("torch.set_num_threads", called.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_to:
        monkeypatch.setenv("OMP_NUM_THREADS", set_to)

    run_suite(*ONE, "--collect-only")

    assert called == calls


def test_python_without_assertions_is_refused(run_suite, monkeypatch):
    monkeypatch.setattr("conformance.plugin.config.sys", SimpleNamespace(flags=SimpleNamespace(optimize=1)))

    assert "python -O removes the assertions" in run_suite().printed


def test_a_gap_between_spec_and_suite_stops_the_run(run_suite, monkeypatch):
    monkeypatch.setattr(config, "coverage_problem", lambda _: "no test asks for the requirement 'forward.nope'")

    outcome = run_suite()

    assert outcome.code == USAGE
    assert "ERROR: no test asks for the requirement 'forward.nope'" in outcome.printed
