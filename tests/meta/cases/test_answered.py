"""Does a refusal that is listed fail where it does not happen, as an unexpected pass does?"""

from fnmatch import fnmatchcase
from types import SimpleNamespace

import pytest
import torch

from conformance.cases import answered
from conformance.cases.answered import assert_as_listed, is_answered
from conformance.cases.modules import refusals
from conformance.cases.modules.catalogue import CATALOGUE
from conformance.cases.operations import inplace_ops, random_ops
from conformance.spec.locations import SUITE

CPU = torch.device("cpu")


def listed(*, refused, name="RReLU", column="backward", implementation="torch.func", device=CPU):
    of = SimpleNamespace(name=implementation)
    assert_as_listed(refused=refused, name=name, column=column, implementation=of, device=device)


def test_what_is_listed_has_to_be_refused():
    listed(refused=True)
    with pytest.raises(AssertionError, match=r"^RReLU: listed as refused, but backward is right$"):
        listed(refused=False)


def test_what_is_listed_as_answered_has_to_be_answered():
    listed(refused=False, name="weight_norm-dim")
    with pytest.raises(AssertionError, match=r"^weight_norm-dim: refused, but backward is listed as answered$"):
        listed(refused=True, name="weight_norm-dim")


@pytest.mark.parametrize(
    "where", [{"implementation": "mine:Other"}, {"device": torch.device("meta")}], ids=["implementation", "device"]
)
def test_only_what_was_recorded_is_held_to_it(where):
    listed(refused=True, **where)
    listed(refused=False, **where)


@pytest.mark.parametrize(
    ("version", "expected"), [("2.14.1", False), ("2.15.0+cu130", True), ("2.16.0.dev20270101", True)]
)
def test_a_release_may_answer_what_an_older_one_refuses(version, expected):
    assert is_answered("Tensor.__setitem__ (a mask and a number)", "mapped", version) is expected


def test_a_right_case_that_is_listed_as_refused_is_red(run_suite, monkeypatch):
    monkeypatch.setattr(refusals, "REFUSED", (*refusals.REFUSED, ("made up", ("own_minibatch",), ("Identity",))))

    name = "test_members_with_a_minibatch_each_give_what_they_give_alone[torch.func-Identity]"
    outcome = run_suite("--implementation=torch.func", paths=[f"{SUITE}/test_modules.py::{name}"])

    assert outcome.red() == {"modules.own_minibatch"}
    assert "Identity: listed as refused, but own_minibatch is right" in " ".join(outcome.printed.split())


def listed_as_refused():
    """Return the columns in which each case is listed as refused, by name."""
    cases = {
        case.name: {check for check in refusals.ALL if refusals.refusal_reason(check, case.name)} for case in CATALOGUE
    }
    draws = [*random_ops.RANDOM_OPERATIONS, *random_ops.COMPOSITES, *random_ops.ATTENTION]
    writes = [write for write in inplace_ops.INPLACE_OPERATIONS if write.refused]
    return (
        cases
        | {draw.name: set(draw.refuses) for draw in draws}
        | {write.name: {"mapped", "mapped, shared operands"} for write in writes}
    )


@pytest.mark.parametrize("row", answered.ANSWERED, ids=lambda row: f"{row[2][0]} in {row[1][0]}")
def test_what_is_listed_as_answered_is_listed_as_refused_too(row):
    _, columns, patterns = row

    for pattern in patterns:
        found = [columns for name, columns in listed_as_refused().items() if fnmatchcase(name, pattern)]
        assert found, f"{pattern} matches no case"
        assert set(columns) & set.union(*found), f"{pattern} is not listed as refused in {columns}"
