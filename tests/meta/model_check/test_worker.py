"""Does the worker ask each check once, and refuse what makes no sense?"""

import subprocess
import sys
import warnings

import pytest
import torch
from check_questions import CPU, ask, found, questions
from torch import nn

from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import child_work, model_facts, step_runner, worker
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.options import CannotAnswerError, UsageError
from conformance.model_check.steps import STEPS
from conftest import ROOT


def test_the_steps_are_known_without_torch():
    code = "import sys; from conformance.cli import check; assert 'torch' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_members_that_can_t_be_copied_are_notasked(monkeypatch):
    asking = questions("branch")
    monkeypatch.setattr(type(asking.case), "members", lambda *args, **options: 1 / 0)

    told = asking.run_check("order")

    assert told == {
        "status": "not applicable",
        "message": "can't copy the members: ZeroDivisionError: division by zero",
    }
    assert asking.measure("speed_forward")["status"] == "not measured"


class Output(nn.Module):
    """A module with an output that any function makes."""

    def __init__(self, make):
        super().__init__()
        self.linear, self.make = nn.Linear(3, 2), make

    def forward(self, x):
        return self.make(self.linear(x))


def asked_of(make):
    models = [Output(make) for _ in range(3)]
    case = LoadedModel("output", models, lambda n, device, dtype: [(torch.randn(7, 3, dtype=dtype),)] * n)
    return step_runner.StepRunner(case, TorchFunc(), CPU, None, 3)


def leave(y):
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda y: None, "returns no numbers"),
        (lambda y: y[:, :0], "returns no numbers"),
        (lambda y: y * float("nan"), "returns only NaN"),
    ],
    ids=["nothing", "no samples", "nan"],
)
def test_outputs_that_prove_nothing_are_no_answer(make, problem):
    told = asked_of(make).run_check("own_minibatch")

    assert told["status"] == "not applicable"
    assert problem in told["message"]


def test_a_model_that_wants_to_end_the_process_crashes():
    asking = asked_of(leave)

    crash = {"status": "crash", "message": "the model raises SystemExit: 0"}
    assert asking.run_check("own_minibatch") == asking.measure("speed_forward") == crash


def test_a_failure_that_can_t_be_located_is_a_result(monkeypatch):
    monkeypatch.setattr(step_runner, "locate_failure", lambda error, again: leave(error))

    told = asked_of(lambda y: y if y.sum() > 0 else -y).run_check("own_minibatch")

    assert told["status"] == "refused"
    assert "operation" not in told


def test_a_model_that_can_t_be_looked_at_is_a_mistake(monkeypatch):
    monkeypatch.setattr(model_facts, "module_features", leave)

    with pytest.raises(UsageError, match="theirs:mlp: loading it raises SystemExit: 0"):
        list(worker.run_steps(ask("theirs:mlp", ("3",)), ()))


def test_a_device_that_does_not_work_can_t_answer(monkeypatch):
    def refuse(name):
        raise worker.probe.UnusableDeviceError("it is broken")

    monkeypatch.setattr(worker.probe, "resolve_device", refuse)

    events = child_work.work(ask("theirs:mlp", ("3",)), ())
    assert list(events) == [("steps", STEPS), ("cannot answer", "it is broken")]
    with pytest.raises(CannotAnswerError):
        list(worker.run_steps(ask("theirs:mlp", ("3",)), ()))


def test_a_mistake_is_an_event():
    assert list(child_work.work(ask("theirs", ("3",)), ()))[2] == (
        "mistake",
        "invalid model 'theirs' (expected package.module:name or path/to/file.py:name)",
    )


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'torch'"), SystemExit(0)])
def test_a_torch_that_does_not_import_can_t_answer(monkeypatch, error):
    def refuse(name):
        raise error

    monkeypatch.setattr(child_work.importlib, "import_module", refuse)

    ((name, value),) = child_work.work(ask("theirs:mlp", ("3",)), ())

    assert name == "cannot answer"
    assert value.startswith(f"torch does not import: {type(error).__name__}: ")


def test_a_mistake_in_the_inputs_ends_the_check():
    with pytest.raises(UsageError):
        found("mlp", "order", ":no_module")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"device": "nothing"}, "--device nothing: "),
        ({"device_module": "no_such_package"}, "there is no package"),
        ({"dtype": "float"}, "--dtype: invalid choice 'float'"),
        ({"implementation": "mine"}, r"--implementation: invalid choice 'mine' \(choose from torch.func"),
        ({"implementation": "theirs:Lacking"}, "--implementation theirs:Lacking: this torch lacks it"),
    ],
)
def test_options_that_make_no_sense_are_mistakes(options, problem):
    with pytest.raises(UsageError, match=problem):
        list(worker.run_steps(ask("theirs:mlp", ("3",), **options), ()))


def test_what_is_done_is_not_asked_again():
    names = [
        value if name == "begin" else name
        for name, value in worker.run_steps(ask("theirs:branch", ("3",), dtype="float32"), STEPS[:-1])
    ]

    assert names == ["environment", "model", "speed_backward", "end"]


def test_a_model_that_does_not_run_by_itself_is_asked_once(monkeypatch):
    calls = []
    monkeypatch.setattr(step_runner.StepRunner, "measure", lambda self, step: calls.append(step))

    events = list(worker.run_steps(ask("theirs:mlp", ("4",)), ("conversion",)))

    answers = [value for name, value in events if name == "end"]
    assert len(answers) == len(STEPS) - 1
    assert {answer["message"] for answer in answers} == {answers[0]["message"]}
    assert answers[0]["message"].startswith("the plain loop fails: RuntimeError: ")
    assert [answer["status"] for answer in answers[-2:]] == ["not measured"] * 2
    assert calls == []


def test_without_speed_nothing_is_measured():
    events = worker.run_steps(ask("theirs:mlp", ("3",), speed=False, only=("own_*", "speed_*")), ())

    assert [value for name, value in events if name == "begin"] == ["own_minibatch", "own_dtype"]


def test_a_torch_without_numpy_does_not_talk_about_it(monkeypatch, recwarn):
    def warn(name):
        warnings.warn("Failed to initialize NumPy: No module named 'numpy'", UserWarning, stacklevel=1)
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(child_work.importlib, "import_module", warn)

    with warnings.catch_warnings():
        list(child_work.work(ask("theirs:mlp", ("3",)), ()))

    assert not recwarn.list
