"""Is a crash or a hang of the worker named, and the rest still asked?"""

import pytest
import theirs_work
from check_questions import ask

from conformance.model_check import supervisor
from conformance.model_check.options import UsageError
from conformance.utils.child_process import ChildDiedError


def test_a_crash_is_named_and_the_rest_is_asked(monkeypatch):
    monkeypatch.setattr(supervisor, "_work", theirs_work.crashing)

    told = list(supervisor.supervise(ask("a:model", ("3",))))

    assert told[:2] == [("environment", {}), ("model", {})]
    assert told[2:4] == [("begin", "one"), ("end", {"status": "right", "message": ""})]
    assert told[4] == ("begin", "two")
    name, crash = told[5]
    assert (name, crash["status"]) == ("end", "crash")
    assert crash["message"] == "the ensemble kills the process with SIGSEGV"
    assert crash["source"].endswith(": os.kill(os.getpid(), signal.SIGSEGV)")
    assert told[6:] == [("begin", "three"), ("end", {"status": "right", "message": ""})]


def test_a_crash_of_the_plain_module_is_told_from_one_of_the_ensemble():
    frame = '  File "conformance/numerics/plain_loop.py", line 7 in _run\n'

    crash = supervisor.crash_result(ChildDiedError(-11, frame))

    assert crash["message"] == "the plain module kills the process with SIGSEGV"


def test_a_step_that_hangs_is_named(monkeypatch):
    monkeypatch.setattr(supervisor, "_work", theirs_work.hanging)

    told = list(supervisor.supervise(ask("a:model", ("3",)), patience=0.5))

    assert told == [("begin", "one"), ("end", {"status": "crash", "message": "no answer within 0 s"})]


@pytest.mark.parametrize(
    ("work", "problem"),
    [
        (theirs_work.mistaken, "^nonsense$"),
        (theirs_work.leaving, "a:model crashes before the first check: .* exit code 3"),
    ],
)
def test_what_ends_before_the_first_step_is_a_mistake(monkeypatch, work, problem):
    monkeypatch.setattr(supervisor, "_work", work)

    with pytest.raises(UsageError, match=problem):
        list(supervisor.supervise(ask("a:model", ("3",))))
