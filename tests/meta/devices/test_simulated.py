"""Does the suite run on a second device where there is none, and is that device what it stands for?"""

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.cli import simulate
from conformance.spec.coverage import asking_tests
from conformance.spec.locations import HOME
from conftest import load


def in_a_process(*command, cwd):
    return subprocess.run([sys.executable, "-m", *command], cwd=cwd, check=False, capture_output=True, text=True)


def test_the_stand_in_is_a_device_and_the_faults_of_a_second_one_are_seen_on_it():
    path = Path(__file__).with_name("on_the_simulated_device.py")

    run = in_a_process("pytest", path, "-q", "-p", "no:cacheprovider", "-p", "no:xdist", cwd=HOME)

    assert run.returncode == pytest.ExitCode.OK, run.stdout


def test_the_suite_is_rehearsed(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HOME))
    options = ["--requirement=parity.moved", "--implementation=torch.func", "-p", "no:cacheprovider"]

    run = in_a_process("conformance", "simulate", *options, cwd=tmp_path)

    assert run.returncode == pytest.ExitCode.OK, run.stdout
    result = load(tmp_path / "conformance-rehearsal.json")
    assert result["options"]["device"] == "standin"
    assert [row["status"] for row in result["requirements"] if row["id"] == "parity.moved"] == ["conforms"]


def test_what_it_leaves_out_is_there():
    asked = {test for tests in asking_tests().values() for test in tests}

    assert {name.removeprefix("tests/") for name in simulate.DEADLY} <= asked


def test_help_says_what_is_passed_on(capsys):
    assert simulate.main(["--help"]) == 0
    assert "--device=standin" in capsys.readouterr().out


def test_a_torch_that_takes_no_stand_in_is_told_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "conformance.devices.simulated", None)

    assert simulate.main([]) == 0
    assert capsys.readouterr().out.startswith("simulation skipped: ")
