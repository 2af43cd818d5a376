"""Does `conformance check` survive what a model does, tell it in its verdict, and leave nothing of it?"""

import os
import signal
import subprocess
import sys
import time

import hostile_trials as trials
import pytest
from hostile_models import IMPORTS, MODELS

# What they do is done to themselves: each is right as an ensemble, and Python ignores the rest.
FINE = {
    *("change_the_folder", "fork_and_return", "loud_name", "no_descriptors", "print_controls", "print_much"),
    *("settings", "spawn", "spawn_at_exit", "spawn_by_double_fork", "spawn_in_a_session", "breed"),
    *("hang_at_exit", "system_exit_at_exit", "system_exit_in_del", "threads", "write_forged", "write_garbage"),
}
IN_CI = {"hang_in_forward", "exit_0", "write_forged", "spawn_and_die"}
LONGEST = 120  # seconds for all but what --timeout allows: several starts of torch on a busy machine
ALLOWED = 1.1 * trials.TIMEOUT + 1
PATIENT = 100  # seconds, as --timeout for a model that answers, on such a machine


def cases(names, prefix=""):
    marks = [() if name in IN_CI and not prefix else pytest.mark.whole for name in names]
    return [pytest.param(name, marks=mark, id=prefix + name) for name, mark in zip(names, marks, strict=True)]


@pytest.fixture
def tried(tmp_path, record_property):
    """Start a trial, which ends with the test."""
    record_property("trial", "hostile models")
    started = []

    def call(*arguments, **options):
        started.append(trials.start(tmp_path, *arguments, **options))
        return started[-1]

    yield call
    for trial in started:
        trial.process.kill()
        trial.process.wait()


def assert_survives(trial, codes):
    """Assert that the check ends by itself with one of these codes, says so in plain text, and leaves nothing."""
    assert trial.process.wait(LONGEST + ALLOWED) in codes
    assert not trial.processes()
    assert not trial.scratch_files()
    out, err = trial.printed()
    assert all(line.isprintable() for text in (out, err) for line in text.split("\n"))
    own = [line for line in err.splitlines() if not line.startswith("the model prints: ")]
    assert "Traceback" not in out
    assert all(line.startswith("ERROR: ") for line in own)
    assert len(own) <= 1
    assert own or out.splitlines()[-1].startswith("VERDICT: ")


@pytest.mark.parametrize("name", cases(MODELS))
def test_a_hostile_model_gets_its_verdict(tried, name):
    trial = tried(f"hostile_models:model_{name}", timeout=PATIENT if name in FINE else trials.TIMEOUT)

    assert_survives(trial, {0} if name in FINE else {1, 4})


@pytest.mark.parametrize("name", cases(IMPORTS, "import_"))
def test_a_hostile_import_is_a_mistake(tried, name):
    trial = tried("hostile_models:model_loud_name", HOSTILE_IMPORT=name)

    assert_survives(trial, {4})


@pytest.mark.parametrize(
    "name", ["SIGTERM", "SIGKILL", *(pytest.param(each, marks=pytest.mark.whole) for each in ("SIGINT", "SIGHUP"))]
)
def test_an_interrupted_check_leaves_nothing(tried, name):
    number = getattr(signal, name)
    trial = tried("hostile_models:model_leave_and_hang", timeout=600)
    deadline = time.monotonic() + LONGEST
    while not (trial.folder / "work" / "hanging").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(trial.processes()) > 2  # the check, its child, and what that started

    trial.process.send_signal(number)

    code = trial.process.wait(20)
    assert trial.leaves_nothing()
    assert not trial.scratch_files()
    expected = (-signal.SIGKILL, "") if name == "SIGKILL" else (2, "ERROR: interrupted\n")
    assert (code, trial.printed()[1]) == expected


@pytest.mark.whole
def test_no_reader_no_room_no_assertions_and_no_torch_are_one_line(tmp_path, record_property):
    record_property("trial", "hostile models")
    (tmp_path / "torch.py").write_text("raise ImportError('no \\x1b torch')\n", encoding="utf-8")
    command = f'"{sys.executable}" -m conformance check hostile_models:model_settings --input=3 --members=2'
    variables = os.environ | {"PYTHONPATH": os.pathsep.join([str(trials.HERE), str(trials.ROOT)])}

    def run(script, **more):
        return subprocess.run(
            ["/bin/bash", "-c", script], cwd=tmp_path, env=variables | more, capture_output=True, text=True, check=False
        )

    without = run(command)
    full, optimized, closed = run(f"{command} >/dev/full"), run(command, PYTHONOPTIMIZE="1"), run(f"{command} >&-")
    (tmp_path / "torch.py").unlink()
    cut = run(f"{command} | head -1; exit ${{PIPESTATUS[0]}}")

    assert (without.returncode, full.returncode, optimized.returncode, closed.returncode) == (8, 9, 4, 9)
    assert (cut.returncode, cut.stderr, cut.stdout.count("\n")) == (0, "", 1)
    assert without.stderr == "ERROR: environment can't answer: torch does not import: ImportError: no \\x1b torch\n"
    assert all(ended.stderr.startswith("ERROR: ") for ended in (full, optimized, closed))
    assert all(ended.stderr.count("\n") == 1 for ended in (full, optimized, closed))
