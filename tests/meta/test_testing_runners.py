"""Do the checks work in a project of somebody else's: under pytest, under its workers, and under unittest?"""

import os
import subprocess
import sys
import unittest
from io import StringIO

import pytest
from torch import nn

from conformance.testing import check_ensemble, ensemble_checks, integers, parametrize_with_checks
from conftest import ROOT

TOKENS = [integers(11, 7, 13)]
EXPECTED = {"modules.backward": "padding_idx learns"}


def padded():
    return nn.Sequential(nn.Embedding(11, 3, padding_idx=0), nn.Linear(3, 2))


class ThatFails(unittest.TestCase):
    __test__ = False  # for unittest only

    def test_one_by_one(self):
        for check in ensemble_checks(padded, TOKENS, expected_failures=EXPECTED):
            with self.subTest(str(check)):
                check()

    def test_all_at_once(self):
        check_ensemble(padded, TOKENS, only=["modules.order"])


def test_unittest_shows_the_diagnosis_without_frames_of_ours():
    shown = StringIO()
    asked = unittest.defaultTestLoader.loadTestsFromTestCase(ThatFails)

    result = unittest.TextTestRunner(shown).run(asked)

    assert [str(case).partition("[")[2] for case, _ in result.failures][1:] == [
        "modules.order]",
        "modules.isolation]",
        "modules.out_of_range]",
    ]
    reasons = [reason for _, reason in result.skipped]
    assert reasons[0].startswith("modules.backward: padding_idx learns (wrong: member 1: gradient")
    assert reasons[1:] == [
        "modules.buffers: the module has no buffers",
        "modules.randomness: the module draws no random numbers",
    ]
    assert shown.getvalue().count("suggested fix: ") == 4
    assert str(ROOT / "conformance") not in shown.getvalue()
    assert not result.errors


def only_check(mark):
    (parameter,) = mark.args[1]
    return parameter.values[0]


@pytest.mark.parametrize("option", ["expected_failures", "accept"])
def test_pytest_is_told_of_a_failure_that_may_be(option, monkeypatch):
    check = only_check(parametrize_with_checks(padded, TOKENS, only=[*EXPECTED], **{option: EXPECTED}))

    with pytest.raises(pytest.xfail.Exception, match=r"modules\.backward: .* \(wrong: member 1: gradient"):
        check()

    # As with --runxfail.
    monkeypatch.setattr(pytest, "xfail", lambda reason: None)
    with pytest.raises(AssertionError, match=r"modules\.backward: WRONG: member 1: gradient"):
        check()


def test_frames_of_ours_are_hidden_from_pytest():
    check = only_check(parametrize_with_checks(padded, TOKENS, only=["modules.order"]))

    for ask in (check, lambda: check_ensemble(padded, TOKENS, only=["modules.order"])):
        with pytest.raises(AssertionError) as raised:
            ask()
        ours = [each for each in raised.traceback if (ROOT / "conformance") in each.path.parents]

        assert ours
        assert all(each.ishidden(raised) for each in ours)


PROJECT = """
import unittest
import torch
from conformance.testing import ensemble_checks, floats, integers, parametrize_with_checks

TOKENS = [integers(11, 7, 13)]


def make_mlp():
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 2))


def make_padded():
    return torch.nn.Sequential(torch.nn.Embedding(11, 3, padding_idx=0), torch.nn.Linear(3, 2))


def expected(model):
    return {"modules.backward": "pytorch: padding_idx"} if model == "padded" else {}


MODELS = {"mlp": (make_mlp, [floats(7, 3)]), "padded": (make_padded, TOKENS)}


@parametrize_with_checks(MODELS, expected_failures=expected, accept=["modules.order"])
def test_models(check):
    check()


class InUnittest(unittest.TestCase):
    def test_mlp(self):
        for check in ensemble_checks(make_mlp, [floats(7, 3)]):
            with self.subTest(str(check)):
                check()
"""


def test_a_project_of_somebody_elses_uses_it(tmp_path):
    (tmp_path / "test_theirs.py").write_text(PROJECT, encoding="utf-8")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    surroundings["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--tb=short", "-rA", "."]

    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, env=surroundings)

    said = done.stdout.splitlines()
    failed = sorted(line.split()[1].partition("::")[2] for line in said if line.startswith("FAILED"))
    assert failed == ["test_models[padded-modules.isolation]", "test_models[padded-modules.out_of_range]"]
    known = [line for line in said if line.startswith("XFAIL")]
    assert len(known) == 2
    assert any("pytorch: padding_idx (wrong: member 1: gradient" in line for line in known)
    assert done.stdout.count("PASSED test_theirs.py::test_models[mlp-modules.") == 10
    assert "PASSED test_theirs.py::InUnittest::test_mlp" in done.stdout
    assert "modules.randomness: the module draws no random numbers" in done.stdout
    assert "VERDICT" not in done.stdout


def test_unittest_needs_no_pytest(tmp_path):
    (tmp_path / "test_theirs.py").write_text(PROJECT.partition("MODELS = ")[0] + PROJECT.partition("check()\n")[2])
    command = [sys.executable, "-c", "import sys; sys.modules['pytest'] = None; import unittest; unittest.main(None)"]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [*command, "-v", "test_theirs"], cwd=tmp_path, check=False, capture_output=True, text=True, env=surroundings
    )

    assert done.returncode == 0, done.stderr
    assert "modules.randomness: the module draws no random numbers" in done.stderr
