"""Does the worker ask each check once, and refuse what makes no sense?"""

import subprocess
import sys

import pytest
from check_questions import ask, found, questions

from conformance.model_check import worker
from conformance.model_check.options import UsageError
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


def test_a_mistake_in_the_inputs_ends_the_check():
    with pytest.raises(UsageError):
        found("mlp", "order", ":no_tuple")


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
        for name, value in worker.run_steps(ask("theirs:branch", ("3",), dtype="float32"), worker.STEPS[:-1])
    ]

    assert names == ["environment", "model", "speed_backward", "end"]
