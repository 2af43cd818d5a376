"""Do people's own tests find in `conformance.testing` what it promises them, without anything else of ours?"""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from conformance import testing
from conformance.cases.networks import TiedNet
from conformance.testing import check_ensemble, floats, integers, parametrize_with_checks
from conftest import ROOT

TIED = {
    "modules.meta_base": "tied weights on meta",
    "modules.out_of_range": "an index of the neighbour's",
}


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def padded():
    return nn.Sequential(nn.Embedding(11, 3, padding_idx=0), nn.Linear(3, 2))


def test_a_model_that_can_be_ensembled_passes():
    before = torch.get_rng_state()

    check_ensemble(mlp, [floats(7, 3)])

    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_that_is_ensembled_wrongly_fails_by_requirement():
    with pytest.raises(AssertionError) as raised:
        check_ensemble(padded, [integers(11, 7, 13)])

    said = str(raised.value).splitlines()
    assert said[0] == "the ensemble does not match its members:"
    assert [line.partition(": ")[0] for line in said[1:]] == [
        "modules.backward",
        "modules.order",
        "modules.isolation",
        "modules.out_of_range",
    ]
    assert all(": wrong: " in line for line in said[1:])


def test_what_is_refused_fails_too():
    with pytest.raises(AssertionError, match=r"modules.own_minibatch: refused: .*rrelu"):
        check_ensemble(lambda: nn.Sequential(nn.Linear(3, 2), nn.RReLU()), [floats(7, 3)])


def test_a_model_that_does_not_run_by_itself_fails():
    with pytest.raises(AssertionError, match=r"modules\.own_minibatch: not applicable: the plain loop fails"):
        check_ensemble(mlp, [floats(7, 4)])


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        (TIED, None),
        ({**TIED, "modules.grad": "who knows"}, r"modules.grad: expected to fail \(who knows\), but it is right"),
        ({**TIED, "modules.buffers": "it has none"}, "modules.buffers: expected to fail .* is not applicable"),
    ],
    ids=["as-expected", "right", "not-applicable"],
)
def test_expected_failures_are_strict(expected, problem):
    if problem is None:
        check_ensemble(TiedNet, [integers(11, 7)], expected_failures=expected)
    else:
        with pytest.raises(AssertionError, match=problem):
            check_ensemble(TiedNet, [integers(11, 7)], expected_failures=expected)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"grad": "so"}, "unknown requirement 'grad'; did you mean 'modules.grad'"),
        ({"modules.grad": " "}, "the reason for modules.grad is empty"),
    ],
    ids=["unknown", "empty"],
)
def test_expectations_that_make_no_sense_are_refused(expected, message):
    for ask in (check_ensemble, parametrize_with_checks):
        with pytest.raises(ValueError, match=message):
            ask(mlp, [floats(7, 3)], expected_failures=expected)


def test_members_that_do_not_differ_are_refused():
    one = mlp()

    with pytest.raises(ValueError, match=r"members \d and \d of Sequential have the same state"):
        check_ensemble(lambda: one, [floats(7, 3)])


def test_every_public_name_is_there():
    assert all(hasattr(testing, name) for name in testing.__all__)


OUTSIDE = """
import torch
from conformance.testing import check_ensemble, floats, integers, parametrize_with_checks

EXPECTED = {
    "modules.backward": "pytorch: padding_idx",
    "modules.order": "likewise",
    "modules.isolation": "likewise",
    "modules.out_of_range": "an index of the neighbour's",
}


def make_mlp():
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 2))


def make_padded():
    return torch.nn.Sequential(torch.nn.Embedding(11, 3, padding_idx=0), torch.nn.Linear(3, 2))


@parametrize_with_checks(make_mlp, [floats(7, 3)])
def test_mlp(check):
    check()


@parametrize_with_checks(make_padded, [integers(11, 7, 13)], expected_failures=EXPECTED)
def test_padded(check):
    check()


@parametrize_with_checks(make_padded, [integers(11, 7, 13)])
def test_padded_as_if_it_could(check):
    check()


def test_all_at_once():
    check_ensemble(lambda: torch.nn.Linear(3, 2), [floats(7, 3)])
"""


def test_a_project_of_somebody_elses_uses_it(tmp_path):
    (tmp_path / "test_theirs.py").write_text(OUTSIDE, encoding="utf-8")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    surroundings["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", "-rA", "."]

    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, env=surroundings)

    assert "VERDICT" not in done.stdout
    said = done.stdout.splitlines()
    failed = sorted(line.split()[1].partition("::")[2] for line in said if line.startswith("FAILED"))
    assert failed == [
        f"test_padded_as_if_it_could[{each}]"
        for each in ("modules.backward", "modules.isolation", "modules.order", "modules.out_of_range")
    ]
    known = [line for line in said if line.startswith("XFAIL")]
    assert len(known) == 4
    assert any("pytorch: padding_idx (member 1: gradient" in line for line in known)
    assert done.stdout.count("PASSED test_theirs.py::test_mlp[modules.") >= 10
    assert "the module draws no random numbers" in done.stdout
