"""Are random results judged by what is promised about them?"""

import numpy as np
import pytest
import torch
from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import ModuleCase
from conformance.checks import distribution, draw_checks
from conformance.checks.dropout import dropout_sites, one_dropout_each, without_dropout
from conformance.checks.subject import Subject
from conformance.faults.base.patch import is_mapped
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.plain_loop import PlainLoopError


class Noisy(nn.Module):
    """A layer, and what `make` does to its output."""

    def __init__(self, make):
        super().__init__()
        self.linear, self.make = nn.Linear(3, 4), make

    def forward(self, x):
        return self.make(self.linear(x))


class DropPath(nn.Module):
    """A dropout of a user."""

    def __init__(self, p):
        super().__init__()
        self.p, self.drop_rate, self.size, self.dropped = p, 0.25, 0.5, 0.0

    def forward(self, x):
        return nn.functional.dropout(x, self.p)


def subject(make):
    return Subject(ModuleCase("case", make, (floats(7, 3),)), TorchFunc(), n=3)


def drawn_by(make):
    return subject(lambda: Noisy(make))


def scaled(y):
    return y + torch.randn_like(y) * (3.0 if is_mapped(y) else 1.0)


def shifted(y):
    return y + torch.randn_like(y) + (1.0 if is_mapped(y) else 0.0)


def constant(y):
    """A constant that is off, beside noise."""
    noise = torch.randn_like(y) * torch.tensor([1.0, 0, 1, 1], dtype=y.dtype)
    return torch.zeros_like(y) + noise + (0.01 if is_mapped(y) else 0.0)


@pytest.mark.parametrize("make", [scaled, shifted, constant])
def test_another_distribution_is_found(make):
    with pytest.raises(AssertionError, match='in mode "different" the draws are not distributed as in the plain loop'):
        draw_checks.own_minibatch(drawn_by(make))


@pytest.mark.parametrize(
    "make",
    [
        lambda y: y + torch.randn_like(y),
        torch.bernoulli,
        lambda y: nn.functional.dropout(y, 0.5),
        lambda y: torch.complex(y, torch.randn_like(y)),
        lambda y: torch.bernoulli(y).log(),
    ],
    ids=["normal", "bernoulli", "dropout", "complex", "infinite"],
)
def test_the_same_distribution_is_accepted(make):
    draw_checks.own_minibatch(drawn_by(lambda y: make(y.sigmoid())))


@pytest.mark.parametrize("name", draw_checks.DISTRIBUTIONS)
def test_each_check_accepts_a_model_that_draws_with_mapped_parameters(name):
    draw_checks.DISTRIBUTIONS[name](drawn_by(lambda y: torch.normal(torch.zeros_like(y), 1.0) + y))


def test_constants_in_a_coarse_dtype_are_allowed_their_rounding():
    one = drawn_by(lambda y: torch.cat([y, torch.randn_like(y)]))
    coarse = one.select(range(3))
    coarse.models = [model.float() for model in coarse.models]
    coarse.minibatches = [(x.float(),) for (x,) in coarse.minibatches]

    draw_checks.own_minibatch(coarse)


def test_the_number_of_draws_is_what_there_is_time_for(monkeypatch):
    monkeypatch.setattr(distribution, "SECONDS", -1)
    one = drawn_by(lambda y: y + torch.randn_like(y))

    compared = distribution.assert_distributed_as_loop(
        one, lambda model, x: model(*x), lambda: torch.stack([model(*x) for model, x in one.pairs])
    )

    assert compared == distribution.LEAST


@pytest.mark.parametrize(
    ("make", "said"),
    [(lambda y: torch.bernoulli(y.sigmoid())[:0], "there is no number"), (lambda y: 1 / 0, "division")],
)
def test_a_loop_without_a_distribution_is_not_applicable(make, said):
    with pytest.raises(PlainLoopError, match=said):
        distribution.assert_distributed_as_loop(drawn_by(make), lambda model, x: model(*x), lambda: None)


def dropouts():
    return nn.Sequential(nn.Dropout(0.5), DropPath(0.5), nn.MultiheadAttention(4, 2, dropout=0.1), nn.Dropout(0.0))


def test_dropout_is_found_in_modules_and_attributes():
    assert dropout_sites(dropouts()) == [("0", "p"), ("1", "p"), ("1", "drop_rate"), ("2", "dropout")]


def test_dropout_is_removed_from_a_copy():
    model = dropouts()

    assert dropout_sites(without_dropout(model)) == []
    assert [dropout_sites(copy) for _, copy in one_dropout_each(model)] == [[site] for site in dropout_sites(model)]
    assert len(dropout_sites(model)) == 4


class Shared(nn.Dropout):
    """A dropout that is the same for all members, another one for each seed."""

    def forward(self, x):
        if not (self.p and is_mapped(x)):
            return super().forward(x)
        mask = torch.from_numpy(np.random.default_rng(torch.initial_seed()).random(x.shape)) > self.p
        return torch.where(mask, x / (1 - self.p), 0.0)


def test_a_dropout_that_all_members_share_is_found():
    shared = subject(lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 4), Shared(0.5)))

    with pytest.raises(AssertionError, match=r"all members draw the same in 3\.p"):
        draw_checks.randomness(shared)


def test_two_dropouts_are_asked_one_by_one():
    draw_checks.randomness(subject(lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Dropout(0.5))))


def test_a_dropout_that_is_never_reached_is_left_out():
    class Unused(nn.Sequential):
        def forward(self, x):
            return self[1](self[0](x))

    draw_checks.randomness(subject(lambda: Unused(nn.Linear(3, 4), nn.Dropout(0.5), nn.Dropout(0.5))))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda y: y + torch.randn_like(y), "draws the same numbers"),
        (lambda y: y + torch.randn_like(y).flip(0) if is_mapped(y) else y + torch.randn_like(y), "draws other numbers"),
        (lambda y: torch.normal(y, 1.0), "is refused: RuntimeError"),
        (lambda y: 1 / 0, "can't be compared: the plain loop fails"),
    ],
)
def test_mode_same_is_told(make, said):
    assert draw_checks.behavior_of_same(drawn_by(make)).startswith(said)
