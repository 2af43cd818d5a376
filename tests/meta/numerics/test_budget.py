"""Is the budget wide enough for what is right and too narrow for what is wrong?"""

import math

import pytest
import torch
from derive_budget import ratios
from derive_shares import case_named, shares

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.budget import (
    FACTOR,
    UNITS,
    Budget,
    compute_budgets,
    max_error,
    record_share,
    recorded_shares,
    rounding_unit,
)
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def forward(model, x):
    return model(x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("factory", [small_cnn, NormNet], ids=lambda factory: factory.__name__)
def test_a_correct_ensemble_passes_in_every_precision(dtype, factory):
    for seed in range(20):
        models = [model.eval() for model in members(factory, MEMBERS, seed=seed, dtype=dtype)]
        x = draw(MEMBERS, SAMPLES, *((1, 8, 8) if factory is small_cnn else (3,)), seed=seed, dtype=dtype)
        fmodel, params, buffers = TorchFunc().combine(models)

        with recorded_shares() as shares:
            assert_members_close(TorchFunc().vmap(fmodel)(params, buffers, x), loop(forward, models, list(x)))

        assert len(shares) == MEMBERS
        assert 0 < max(shares) <= 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("share", "fits"), [(2.0, False), (0.5, True)], ids=["twice", "half"])
def test_twice_the_budget_is_too_much_and_half_of_it_is_not(dtype, share, fits):
    models = members(small_cnn, MEMBERS, seed=0, dtype=dtype)
    answer = loop(forward, models, [draw(SAMPLES, 1, 8, 8, seed=0, dtype=dtype)] * MEMBERS)
    truth, budget = answer.truth[2], compute_budgets(answer.sample, answer.truth, dtype)[2]
    off = truth.clone()
    off[3, 5] += share * budget.allowed

    assert (max_error(off, truth) <= budget.allowed) is fits


def test_an_error_of_twice_the_budget_is_named():
    models = members(small_cnn, MEMBERS, seed=0, dtype=torch.float64)
    answer = loop(forward, models, [draw(SAMPLES, 1, 8, 8, seed=0, dtype=torch.float64)] * MEMBERS)
    allowed = compute_budgets(answer.sample, answer.truth, torch.float64)
    right = torch.stack(list(answer.truth))
    wrong = right.clone()
    wrong[2, 3, 5] += 2 * allowed[2].allowed

    assert_members_close(right, answer)
    with pytest.raises(AssertionError, match=r"member 2: output differs by .* \(budget"):
        assert_members_close(wrong, answer)


@pytest.mark.parametrize(
    ("dtype", "backward"),
    [(torch.float32, False), (torch.float64, False), (torch.float64, True)],
    ids=["float32-forward", "float64-forward", "float64-gradient"],
)
def test_the_factor_covers_what_is_measured(dtype, backward):
    found = list(ratios(dtype, range(1000, 1010), backward=backward))

    assert 0 < max(found) < FACTOR


@pytest.mark.parametrize(
    ("actual", "truth", "expected"),
    [
        ([1.0, 2.5], [1.0, 2.0], 0.5),
        ([math.nan, math.inf, -math.inf], [math.nan, math.inf, -math.inf], 0.0),
        ([math.nan], [1.0], math.inf),
        ([1.0], [math.nan], math.inf),
        ([math.inf], [-math.inf], math.inf),
        ([math.inf], [1.0], math.inf),
        ([], [], 0.0),
    ],
    ids=["finite", "equal", "nan", "not-nan", "other-inf", "inf", "empty"],
)
def test_the_error_counts_what_is_not_finite(actual, truth, expected):
    assert max_error(torch.tensor(actual), torch.tensor(truth, dtype=torch.float64)) == expected


def test_the_unit_is_one_rounding_of_the_largest_finite_element():
    truth = torch.tensor([-8.0, 2.0, math.inf, math.nan], dtype=torch.float64)

    assert rounding_unit(truth, torch.float32) == 8 * 2**-23
    assert rounding_unit(torch.tensor([math.nan]), torch.float32) == 0.0
    assert rounding_unit(torch.zeros(3), torch.float32) == 0.0
    assert rounding_unit(torch.zeros(0), torch.float32) == 0.0
    assert rounding_unit(torch.tensor([3 + 4j, 1j]), torch.float32) == 5 * 2**-23


def test_a_members_budget_follows_its_own_size_and_the_worst_loop():
    truths = [torch.tensor([1.0]).double(), torch.tensor([1000.0]).double(), torch.tensor([0.0]).double()]
    eps = torch.finfo(torch.float32).eps
    samples = [torch.tensor([1.0 + 2 * eps]), torch.tensor([1000.0]), torch.tensor([1e-9])]

    small, large, zero = compute_budgets(samples, truths, torch.float32)

    assert small.allowed == pytest.approx((2 * FACTOR + UNITS) * eps)
    assert large.allowed == pytest.approx((2 * FACTOR + UNITS) * eps * 1000)
    assert zero.allowed == pytest.approx(FACTOR * 1e-9)


def test_a_loop_that_is_not_finite_gives_no_budget():
    truths = [torch.tensor([1.0]).double(), torch.tensor([2.0]).double()]

    budget, other = compute_budgets([torch.tensor([math.nan]), torch.tensor([2.0])], truths, torch.float32)

    assert (budget.loop, other.loop) == (0.0, 0.0)


def test_shares_are_recorded_only_while_somebody_listens():
    record_share(1.0, Budget(loop=0.0, unit=1.0))
    with recorded_shares() as shares:
        record_share(0.5, Budget(loop=0.0, unit=1.0))
        with recorded_shares() as inner:
            record_share(0.0, Budget(loop=0.0, unit=0.0))
        record_share(0.1, Budget(loop=0.0, unit=0.0))

    assert shares == [0.5, 1e9]
    assert inner == [0.0]


def test_a_correct_norm_stays_below_half_of_its_budget():
    ((_, share),) = shares(case_named("BatchNorm3d"), seed=0, checks=["backward"])

    assert 0 < share < 0.5
