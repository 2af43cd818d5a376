"""Does a run judge the device that it is asked for, by that device's profile, and does the verdict say so?"""

import json

import pytest
import torch

from conformance.devices import profile as device_profile
from conformance.devices.probe import ONLY_FOR
from conformance.spec.locations import SUITE
from conformance.utils.exit_codes import ExitCode
from conftest import ROOT, in_a_process

FORWARD = [f"{SUITE}/test_forward.py"]
ORDER = ["--implementation=torch.func", "--requirement=forward.member_order"]
USAGE = pytest.ExitCode.USAGE_ERROR


def test_pytorchs_variable_chooses_the_device_and_the_option_is_stronger(run_suite, monkeypatch):
    monkeypatch.setenv(ONLY_FOR, "meta")

    asked = run_suite(*ORDER)
    overruled = run_suite(*ORDER, "--device=cpu", paths=FORWARD)

    assert asked.code == ExitCode.CANNOT_ANSWER
    assert "environment can't answer: device 'meta' does not work here" in asked.printed
    assert overruled.code == pytest.ExitCode.OK
    assert overruled.result["options"]["device"] == "cpu"


def test_several_devices_in_it_are_a_mistake(run_suite, monkeypatch):
    monkeypatch.setenv(ONLY_FOR, "cuda,cpu")

    outcome = run_suite(*ORDER)

    assert outcome.code == USAGE
    assert f"ERROR: {ONLY_FOR} lists cuda, cpu, and a run judges one" in outcome.printed


def test_a_vendors_package_that_does_not_import_can_not_answer(run_suite, tmp_path, monkeypatch):
    (tmp_path / "vendor_broken.py").write_text("import no_such_runtime", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    outcome = run_suite("--device-module=vendor_broken")

    assert outcome.code == ExitCode.CANNOT_ANSWER
    assert "environment can't answer: vendor_broken does not import: ModuleNotFoundError" in outcome.printed


def test_on_cuda_the_memory_of_the_process_is_limited(run_suite, monkeypatch):
    limited = []
    monkeypatch.setattr("conformance.plugin.config.resolve_device", torch.device)
    monkeypatch.setattr("conformance.devices.cuda.limit_memory", limited.append)

    run_suite(*ORDER, "--device=cuda:1", "--collect-only", "-m", "nothing")

    assert limited == [torch.device("cuda:1")]


PROFILE = """
device = "cpu"
[dtypes]
supported = ["float32"]
reason = "Nothing wider."
[budget.float32]
factor = 3
reason = "It is rough."
[[expectation]]
requirement = "{requirement}"
torch = ">=2.0"
raises = "AssertionError"
reason = "made up"
kind = "limitation"
effect = "wrong"
match = "differs by"
implementation = "torch.func"
test = "{test}"
"""


@pytest.fixture
def profile(tmp_path):
    def write(requirement="forward.member_order", test="*float32*"):
        path = tmp_path / "mine.toml"
        path.write_text(PROFILE.format(requirement=requirement, test=test), encoding="utf-8")
        return f"--device-profile={path}"

    return write


def test_a_run_is_judged_by_the_devices_profile_and_says_so(run_suite, profile):
    outcome = run_suite(*ORDER, "--fault=MembersReversed", profile(), paths=FORWARD)

    (row,) = [row for row in outcome.result["requirements"] if row["id"] == "forward.member_order"]
    assert {case["status"]: case["message"] for case in row["cases"]} == {
        "known failure": "made up",
        "not applicable": "cpu has no torch.float64, says mine.toml: Nothing wider.",
    }
    assert outcome.result["verdict"].endswith("; with the device profile mine.toml")
    assert outcome.result["options"]["device_profile"] == {
        "name": "mine.toml",
        "lacking": dict.fromkeys(["float64", "bfloat16", "float16", "complex128", "complex64"], "Nothing wider."),
        "budget": {"float32": {"factor": 3.0, "reason": "It is rough."}},
        "expectations": 1,
    }
    assert "device profile mine.toml: no float64, bfloat16, float16, complex128, complex64" in outcome.printed
    assert "budget of float32 times 3; 1 known failures of its own" in " ".join(outcome.printed.split())
    assert device_profile.factor(torch.float32) == 1.0


def test_a_stale_entry_of_a_profile_stops_the_run(run_suite, profile):
    outcome = run_suite("--implementation=torch.func", profile(test="test_nope*"), paths=FORWARD)

    assert outcome.code == USAGE
    assert "the expectation for forward.member_order, test 'test_nope*', is stale" in outcome.printed


PLAYED = """
import json, os, pathlib, sys

def autoload():
    import torch
    import conformance.devices.cuda
    import conformance.plugin.config

    conformance.devices.cuda.count_gpus = lambda: 3
    conformance.plugin.config.resolve_device = lambda name: torch.device("cpu")
    note("autoloaded")

def note(what):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "controller")
    path = pathlib.Path(__file__).parent / f"{worker}.{what}"
    path.write_text(json.dumps(os.environ.get("CUDA_VISIBLE_DEVICES")))
"""


def test_every_worker_loads_the_vendors_packages_and_sees_its_own_gpu(tmp_path):
    """A package is imported by its entry point, another is named; three GPUs are played, and cuda is the CPU."""
    (tmp_path / "vendor_played.py").write_text(PLAYED, encoding="utf-8")
    (tmp_path / "vendor_named.py").write_text("import vendor_played\nvendor_played.note('named')\n", encoding="utf-8")
    metadata = tmp_path / "vendor_played-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: vendor_played\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[torch.backends]\nplayed = vendor_played:autoload\n", encoding="utf-8")
    path = f"{tmp_path}:{ROOT}"

    outcome = in_a_process(
        tmp_path,
        "tests/test_forward.py",
        *ORDER,
        *("--device=cuda", "--device-module=vendor_named", "-n", "auto"),
        PYTHONPATH=path,
        PYTEST_XDIST_AUTO_NUM_WORKERS="16",  # processors; a GPU has memory for two workers
        CUDA_VISIBLE_DEVICES="5,GPU-8a,7",
    )

    assert outcome.code == pytest.ExitCode.OK, outcome.printed
    notes = {each.name: json.loads(each.read_text(encoding="utf-8")) for each in tmp_path.glob("*.*ed")}
    assert notes == {
        "controller.autoloaded": "5,GPU-8a,7",
        "controller.named": "5,GPU-8a,7",
        "gw0.autoloaded": "5,GPU-8a",
        "gw0.named": "5,GPU-8a",
        "gw1.autoloaded": "GPU-8a,7",
        "gw1.named": "GPU-8a,7",
    }
    assert outcome.result["options"]["device_module"] == "vendor_named"
