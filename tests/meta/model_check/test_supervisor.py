"""Is a crash or a hang of the worker named, and the rest still asked as long as that makes sense?"""

import child_works
import pytest
from check_questions import ask

from conformance.model_check import course, supervisor
from conformance.model_check.crash import crash_result
from conformance.model_check.options import CannotAnswerError, UsageError
from conformance.utils.child import ChildDiedError

RIGHT = ("right", "")
AFTER_CRASHES = ("not asked", "three steps in a row ended the process")
AFTER_HANGS = ("not asked", "two steps before gave no answer")
LEAVES = "a:model: loading or calling it ends the process with exit code 3"
DIED = ("crash", "the model ends the process with exit code 3")


@pytest.fixture
def supervised(monkeypatch):
    """All events of a check whose child does other work."""

    def call(work, timeout=600.0, **options):
        monkeypatch.setattr(supervisor, "work", work)
        return list(supervisor.supervise(ask("a:model", ("3",), timeout=timeout), **options))

    return call


def answers(events):
    """Return the status and the message of each step; each has begun once, and ended before the next one."""
    begun = [value for name, value in events if name == "begin"]
    ended = [(value["status"], value["message"]) for name, value in events if name == "end"]
    told = [name for name, _ in events if name in {"begin", "end"}]
    assert told == ["begin", "end"] * len(begun)
    return dict(zip(begun, ended, strict=True))


def test_a_crash_is_named_and_the_rest_is_asked(supervised):
    events = supervised(child_works.crashing)

    assert events[:2] == [("environment", {}), ("model", {})]
    assert sum(name == "model" for name, _ in events) == 1
    found = answers(events)
    assert found.pop("two") == ("crash", "the ensemble kills the process with SIGSEGV")
    assert found == dict.fromkeys(("one", "three", "four", "five"), RIGHT)
    (crash,) = (value for name, value in events if name == "end" and value["status"] == "crash")
    assert crash["source"].endswith(": os.kill(os.getpid(), signal.SIGSEGV)")


@pytest.mark.parametrize(
    ("work", "timeout", "expected"),
    [
        (child_works.always_crashing, 600, [DIED] * 3 + [AFTER_CRASHES] * 2),
        (child_works.hanging_once, 1, [RIGHT, ("crash", "no answer within 1 s"), RIGHT, RIGHT, RIGHT]),
        (
            child_works.always_hanging,
            2,
            [("crash", "no answer within 2 s"), ("crash", "no answer within 1 s")] + [AFTER_HANGS] * 3,
        ),
        (child_works.failing, 600, [RIGHT, ("crash", "ZeroDivisionError: division by zero"), RIGHT, RIGHT, RIGHT]),
        (child_works.dying_between, 600, [RIGHT] * 5),
        (child_works.ending_early, 600, [RIGHT, *[("not asked", "the process ended before")] * 4]),
        (
            child_works.loading_once,
            600,
            [
                DIED,
                *[("not asked", f"it was not loaded again: {LEAVES}")] * 4,
            ],
        ),
        (child_works.mistaken_later, 600, [DIED, *[("not asked", "it was not loaded again: nonsense")] * 4]),
        (child_works.without_torch_later, 600, [DIED, *[("not asked", "it was not loaded again: no torch")] * 4]),
        (
            child_works.starting_once,
            600,
            [DIED, *[("not asked", "a new process ends the process with exit code 3")] * 4],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_step_has_an_end(supervised, work, timeout, expected):
    found = answers(supervised(work, timeout))

    assert found == dict(zip(child_works.STEPS, expected, strict=True))


def test_a_death_at_the_exit_is_a_step_of_its_own(supervised):
    found = answers(supervised(child_works.dying_at_exit))

    assert found == dict.fromkeys(child_works.STEPS, RIGHT) | {"exit": DIED}


def test_it_says_what_it_waits_for_and_what_the_model_prints(supervised):
    events = supervised(child_works.talking, 60, notice=0.4)

    waiting = [value for name, value in events if name == "waiting" and "one" in value]
    assert waiting == [f"still waiting for one: {seconds} s of at most 60 s" for seconds in ("0.4", "0.8")]
    printed = [value for name, value in events if name == "printed"]
    assert printed == ["\x1b[31mhello\\xff"] * 100 + ["more, which is not shown"]


@pytest.mark.parametrize(
    ("work", "error", "problem"),
    [
        (child_works.mistaken, UsageError, "^nonsense$"),
        (child_works.leaving_while_loading, UsageError, LEAVES),
        (child_works.failing_while_loading, UsageError, "a:model: loading or calling it fails with ZeroDivisionError"),
        (child_works.hanging_while_loading, UsageError, "a:model: loading or calling it gives no answer within 0.5 s"),
        (child_works.closing, UsageError, "a:model: loading or calling it closes the pipe"),
        (child_works.without_torch, CannotAnswerError, "^no torch$"),
        (child_works.leaving, CannotAnswerError, "the import of torch .* exit code 3"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_ends_before_the_first_step_is_a_mistake(supervised, work, error, problem):
    with pytest.raises(error, match=problem):
        supervised(work, 0.5 if work is child_works.hanging_while_loading else 600)


def test_without_a_process_nothing_can_be_answered(supervised, monkeypatch):
    monkeypatch.setattr(supervisor, "Child", lambda *_, **__: (_ for _ in ()).throw(OSError(11, "no more processes")))

    with pytest.raises(CannotAnswerError, match="no process can be started: no more processes"):
        supervised(child_works.crashing)


def test_a_slow_load_has_more_time_after_a_hang():
    known = course.Course(ask("a:model", ("3",), timeout=20.0))
    known.start_child()
    assert known.patience == course.IMPORT_TIMEOUT

    list(known.take("steps", ["one", "two"]))
    assert known.patience == 20
    list(known.take("begin", "one"))
    list(known.fail({}, "hangs", hung=True))
    known.start_child()
    list(known.take("steps", ["one", "two"]))

    assert 2 <= known.patience < 3


@pytest.mark.parametrize(
    ("code", "trace", "message"),
    [
        (
            -11,
            '  File "conformance/numerics/plain_loop.py", line 7 in run_members\n',
            "the plain module kills the process with",
        ),
        (-50, "", "the model kills the process with signal 50"),
        (None, "", "the model closes the pipe"),
    ],
)
def test_a_crash_says_how_and_where(code, trace, message):
    assert crash_result(ChildDiedError(code, trace))["message"].startswith(message)
