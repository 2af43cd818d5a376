"""Does a check end in the status that it has earned, and does its subject stand where it says?"""

from fnmatch import fnmatchcase
from functools import partial

import pytest
import torch
from torch import nn

from conformance.cases.inputs import floats, integers
from conformance.cases.modules.case import ModuleCase
from conformance.cases.modules.catalogue import CATALOGUE
from conformance.cases.modules.refusals import CRASHES, REFUSED
from conformance.checks.model_checks import CHECKS
from conformance.checks.outcome import Outcome, run_check
from conformance.checks.subject import Subject
from conformance.faults.base.patch import is_mapped
from conformance.implementations.functorch import Functorch
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.rng import state

CASES = {case.name: case for case in CATALOGUE}
CPU = torch.device("cpu")


class Broken(nn.Module):
    """It has state and does not run."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x):
        raise RuntimeError("broken")


class Rounded(nn.Module):
    """What it answers has no slope: its gradients are zero."""

    def forward(self, x):
        return x.round()


class Unbatched(nn.Module):
    """It takes no batch, and says so unclearly."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x):
        if is_mapped(x):
            raise KeyError(x.shape)
        return x * self.weight


class Asserting(Unbatched):
    """Likewise, with an assertion of its own."""

    def forward(self, x):
        assert not is_mapped(x), "no batch"
        return x * self.weight


MADE = {
    "asserting": ModuleCase("asserting", Asserting, (floats(7, 3),)),
    "broken": ModuleCase("broken", Broken, (floats(7, 3),)),
    "rounded": ModuleCase("rounded", Rounded, (floats(7, 3),)),
    "unbatched": ModuleCase("unbatched", Unbatched, (floats(7, 3),)),
    "whole": ModuleCase("whole", partial(nn.Unflatten, 1, (3, 1)), (integers(5, 7, 3),)),
}


@pytest.mark.parametrize(
    ("check", "case", "status", "said"),
    [
        ("own_minibatch", "Linear", Outcome.RIGHT, ""),
        ("own_minibatch", "RReLU", Outcome.REFUSED, "aten::rrelu"),
        ("own_minibatch", "unbatched", Outcome.REFUSED_UNCLEARLY, "KeyError"),
        ("own_minibatch", "asserting", Outcome.REFUSED_UNCLEARLY, "AssertionError: no batch"),
        ("own_minibatch", "broken", Outcome.NOT_APPLICABLE, "the plain loop fails: RuntimeError: broken"),
        ("shared_minibatch", "Tanh", Outcome.NOT_APPLICABLE, "the module has no state"),
        ("backward", "rounded", Outcome.NOT_APPLICABLE, "all gradients are zero"),
        ("backward", "Embedding-paddingidx", Outcome.WRONG, "member 1: gradient"),
        ("per_sample", "PReLU", Outcome.REFUSED_UNCLEARLY, "The size of tensor"),
        ("per_sample", "Dropout", Outcome.NOT_APPLICABLE, "draws random numbers"),
        ("per_sample", "Tanh", Outcome.NOT_APPLICABLE, "the module has no parameters"),
        ("buffers", "Linear", Outcome.NOT_APPLICABLE, "the module has no buffers"),
        ("randomness", "Linear", Outcome.NOT_APPLICABLE, "the module draws no random numbers"),
        ("randomness", "broken", Outcome.NOT_APPLICABLE, "the plain loop fails: RuntimeError: broken"),
        ("randomness", "RReLU", Outcome.REFUSED, "aten::rrelu"),
        ("isolation", "whole", Outcome.NOT_APPLICABLE, "the plain module accepts neither NaN nor infinity"),
        ("out_of_range", "Linear", Outcome.NOT_APPLICABLE, "the plain module refuses no index"),
        ("out_of_range", "whole", Outcome.NOT_APPLICABLE, "the plain module refuses no index"),
        ("out_of_range", "Embedding", Outcome.WRONG, "an output for an index out of range"),
        ("order", "rounded", Outcome.RIGHT, ""),
        ("order", "prune", Outcome.NOT_APPLICABLE, "the plain module can't be copied"),
    ],
)
def test_a_check_ends_in_its_status(check, case, status, said):
    finding = run_check(CHECKS[check], CASES.get(case) or MADE[case], TorchFunc(), CPU)

    assert finding.status is status
    assert said in finding.message
    assert not finding.slow


class Boom(TorchFunc):
    """An implementation that refuses everything with an unrelated word."""

    def vmap(self, func, *args, **kwargs):
        raise RuntimeError("boom")


def test_an_index_out_of_range_is_refused_for_its_own_reason():
    finding = run_check(CHECKS["out_of_range"], CASES["Embedding"], Boom(), CPU)

    assert finding.status is Outcome.REFUSED_UNCLEARLY
    assert "boom" in finding.message


def test_what_has_no_functional_call_has_no_base():
    finding = run_check(CHECKS["meta_base"], CASES["Linear"], Functorch(), CPU)

    assert finding.status is Outcome.NOT_APPLICABLE


def test_what_runs_member_by_member_is_told():
    finding = run_check(CHECKS["own_minibatch"], CASES["Bilinear"], TorchFunc(), CPU)

    assert finding.status is Outcome.RIGHT
    assert finding.slow == ("aten::bilinear",)


class Accepting(TorchFunc):
    """It draws in mode error as it does in mode same."""

    def vmap(self, func, *args, randomness="error", **options):
        return super().vmap(func, *args, randomness="same" if randomness == "error" else randomness, **options)


def test_draws_that_are_not_refused_are_wrong():
    finding = run_check(CHECKS["randomness"], CASES["Dropout"], Accepting(), CPU)

    assert finding.status is Outcome.WRONG
    assert "none was raised" in finding.message


@pytest.mark.parametrize("case", ["Dropout", "Linear"])
def test_a_subject_leaves_the_generators_where_they_stand(case):
    before = state(CPU)

    subject = Subject(CASES[case], TorchFunc())
    with subject.fixed_seed():
        torch.rand(3)

    assert subject.is_random is (case == "Dropout")
    assert torch.equal(before["cpu"], state(CPU)["cpu"])


def test_members_can_be_taken_in_another_order_without_a_change_to_them():
    subject = Subject(CASES["Linear"], TorchFunc())

    turned = subject.select([2, 0])
    with torch.no_grad():
        turned.models[0].weight.zero_()

    assert torch.equal(turned.models[1].weight, subject.models[0].weight)
    assert subject.models[2].weight.any()
    assert torch.equal(turned.minibatches[0][0], subject.minibatches[2][0])


def test_a_plain_module_that_fails_is_no_draw():
    with pytest.raises(PlainLoopError, match="broken"):
        _ = Subject(MADE["broken"], TorchFunc()).is_random


@pytest.mark.parametrize("rows", [CRASHES, REFUSED], ids=["crashes", "refused"])
def test_what_may_be_refused_is_of_checks_and_cases_that_exist(rows):
    for why, checks, cases in rows:
        assert why
        assert set(checks) <= CHECKS.keys(), why
        for pattern in cases:
            assert any(fnmatchcase(name, pattern) for name in CASES), pattern
