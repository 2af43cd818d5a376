"""Does the script of a failed test fail as the test did, and pass where the test passes?"""

import subprocess
import sys

import bundled
import pytest
import torch

from conformance.diagnosis import bundle_script
from conformance.diagnosis.bundle_script import script_of_test, write_script
from conformance.diagnosis.call_source import NoSourceError
from conformance.diagnosis.execution import run_here
from conformance.diagnosis.known_reproducers import ScriptRun
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.plain_loop import PlainLoopError

WRONG = AssertionError("a \x1b[2J\nfailure")


class Doubled(TorchFunc):
    """torch.func, whose vmap multiplies."""

    def vmap(self, func, *args, **kwargs):
        return lambda *given: super(Doubled, self).vmap(func, *args, **kwargs)(*given) * 2


def fixtures(implementation, **more):
    given = {"device": torch.device("cpu"), "record_property": print, "x": torch.ones(3, 2), "by": torch.sin}
    return {"implementation": implementation, **given, **more}


def script(test, error=WRONG, implementation=None, **more):
    given = fixtures(implementation or TorchFunc(), **more)
    return script_of_test(test, given, error, 5, may_crash=False)


def alone(text, tmp_path):
    assert "conformance." not in text
    (tmp_path / "script.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-I", tmp_path / "script.py"]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)


def test_the_script_of_a_failure_shows_it_with_torch_alone(tmp_path):
    text = script(bundled.test_noise_is_refused)

    ran = alone(text, tmp_path)

    assert ran.returncode == 1
    assert ran.stdout.startswith("AssertionError: refused without naming 'never said': RuntimeError: vmap: ")
    assert "# Seen: a \\x1b[2J failure\n" in text


def test_a_test_that_passes_has_no_script_as_its_own_exits_with_zero():
    text = write_script(bundled.test_sums_are_right, fixtures(TorchFunc()), WRONG, 0)

    assert run_here(text) == 0
    assert script(bundled.test_sums_are_right) == ""


def test_a_wrong_implementation_is_shown():
    assert run_here(script(bundled.test_sums_are_right, implementation=Doubled())) == 1


def test_members_are_compared_with_the_plain_loop():
    assert run_here(script(bundled.test_members_are_close)) == 1


def test_another_exception_than_the_one_seen_tells_nothing():
    text = write_script(bundled.test_noise_is_refused, fixtures(TorchFunc()), KeyError("a"), 0)

    assert run_here(text) == 2


def fail(model, x):
    raise OSError


def test_a_plain_loop_that_fails_tells_nothing_unless_it_did(monkeypatch):
    monkeypatch.setattr(bundled, "scale", fail)
    unclear = "except PlainLoopError as error:"

    texts = [
        write_script(bundled.test_members_are_close, fixtures(TorchFunc()), error, 0)
        for error in (WRONG, PlainLoopError("it fails"))
    ]

    assert [unclear in text for text in texts] == [True, False]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AssertionError("refused unclearly: RuntimeError: vmap"), "RuntimeError"),
        (AssertionError("refused: TypeError: vmap"), "TypeError"),
        (AssertionError("refused: print: vmap"), "AssertionError"),
        (KeyError("a"), "KeyError"),
        (pytest.fail.Exception("DID NOT RAISE"), "AssertionError"),
        (torch.cuda.OutOfMemoryError("a"), "RuntimeError"),
        (Exception("a"), "AssertionError"),
    ],
    ids=["unclear", "refused", "other-word", "builtin", "pytest", "torch", "exception"],
)
def test_the_exception_is_the_builtin_one_that_the_script_raises(error, expected):
    assert bundle_script._builtin_type(error) == expected  # noqa: SLF001 - its part


def test_a_warning_that_failed_the_test_is_an_error_in_the_script():
    text = write_script(bundled.test_noise_is_refused, fixtures(TorchFunc()), UserWarning("slow"), 0)

    assert 'warnings.simplefilter("error")' in text
    assert "except UserWarning as error:" in text


def test_what_has_no_source_has_no_script():
    def inner():
        pass

    with pytest.raises(NoSourceError, match="stands in no file"):
        write_script(inner, {}, WRONG, 0)
    assert script(bundled.test_sums_are_right, x=torch.nn.Linear(2, 2)) == ""


def test_a_test_that_may_crash_is_run_in_a_process_of_its_own(monkeypatch):
    ran = []
    monkeypatch.setattr(
        bundle_script, "run_reproducer", lambda path: ran.append(path.read_text()) or ScriptRun(1, "", {})
    )

    text = script_of_test(bundled.test_noise_is_refused, fixtures(TorchFunc()), WRONG, 0, may_crash=True)

    assert ran == [text]
