"""Does the command that reruns a case ask for the same thing in the same surroundings?"""

import shlex
from types import SimpleNamespace

import pytest
from suite_runs import ONE

from conformance.plugin import config
from conformance.report.rerun import rerun_command
from conformance.spec.expectations import DEFAULT
from conformance.utils.exit_codes import ExitCode
from conftest import in_a_process

OPTIONS = {"seed": 0, "device": "cpu", "device_module": None, "fault": None}
EXPECTED = """
[[expectation]]
requirement = "stacking.sequences"
torch = ">=1"
raises = "ValueError"
reason = "never so"
kind = "limitation"
effect = "refused"
match = "never"
implementation = "torch.func"
"""


def command(test="tests/test_a.py::test_a[x]", implementation="torch.func", **options):
    return rerun_command(SimpleNamespace(test=test, implementation=implementation), OPTIONS | options)


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ({}, "--seed 0"),
        ({"device": "xla:0", "device_module": "torch_xla"}, "--seed 0 --device xla:0 --device-module torch_xla"),
        ({"fault": "MembersReversed"}, "--seed 0 --fault MembersReversed"),
        ({"arguments": ["--expectations=/a b.toml"]}, "--seed 0 '--expectations=/a b.toml'"),
    ],
    ids=["plain", "device", "fault", "file"],
)
def test_options_are_named_that_are_not_the_usual_ones(given, end):
    assert (
        command(**given) == f'python -m conformance run "tests/test_a.py::test_a[x]" --implementation torch.func {end}'
    )


def test_variables_stand_in_front():
    assert command(variables={"A": "x y", "B": "1"}).startswith("env A='x y' B=1 python -m conformance run ")


@pytest.mark.parametrize("test", ['a["x"]', "a[$(rm)]", "a[`rm`]", "a[\\]", "a[it's $HOME]"])
def test_a_shell_reads_the_name_as_it_is(test):
    assert shlex.split(command(test))[4] == test


@pytest.mark.parametrize("device_module", [None, "torch_xla"])
def test_the_environment_of_a_device_is_remembered(device_module):
    option = SimpleNamespace(device_module=device_module, implementation=["torch.func"])
    environment = {
        "PJRT_DEVICE": "CPU",
        "ATEN_CPU_CAPABILITY": "default",
        "CUDA_HOME": "/usr",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": "/vendor",
        "SECRET": "x",
    }

    found = config.rerun_variables(option, environment)

    vendor = {"PYTHONPATH": "/vendor"} if device_module else {}
    assert found == {"ATEN_CPU_CAPABILITY": "default", "PJRT_DEVICE": "CPU"} | vendor


def test_files_that_a_case_is_held_to_are_remembered(tmp_path):
    option = SimpleNamespace(expectations=DEFAULT, device_profile=None, repeat=1)
    given = SimpleNamespace(
        expectations=tmp_path / "e.toml", device_profile=tmp_path / "p.toml", hypothesis_profile="nightly", repeat=5
    )

    assert config.rerun_arguments(option) == []
    assert config.rerun_arguments(given) == [
        f"--expectations={tmp_path / 'e.toml'}",
        f"--device-profile={tmp_path / 'p.toml'}",
        "--repeat=5",
        "--hypothesis-profile=nightly",
    ]


def test_the_rerun_of_a_failure_fails(run_suite, tmp_path):
    path = tmp_path / "expectations.toml"
    path.write_text(EXPECTED, encoding="utf-8")

    outcome = run_suite(*ONE, f"--expectations={path}", "--hypothesis-profile=nightly")
    (row,) = (row for row in outcome.result["requirements"] if row["status"] == "fails")
    _, _, _, verb, *arguments = shlex.split(row["cases"][0]["rerun"])
    again = in_a_process(tmp_path, *arguments, program="conformance")

    assert verb == "run"
    assert outcome.code == again.code == ExitCode.NEGATIVE
    assert "[XPASS(strict)] never so" in again.printed
