"""Is the budget wide enough for what is right and too narrow for what is wrong?"""

import math

import pytest
import torch
from derive_budget import ratios
from torch import nn

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet, TiedNet
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
from conformance.numerics.plain_loop import PlainLoopError, as_float64_result, loop
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


def test_the_truth_is_computed_in_float64_from_the_same_numbers():
    models = members(TiedNet, MEMBERS, seed=0)
    given = list(draw_tokens(MEMBERS, SAMPLES, seed=0))

    answer = loop(forward, models, given)
    doubled = loop(forward, members(TiedNet, MEMBERS, seed=0, dtype=torch.float64), given)

    assert {each.dtype for each in answer.values} == {torch.float32}
    assert {each.dtype for each in answer.truth} == {torch.float64}
    assert all(map(torch.equal, answer.truth, doubled.values))
    assert all(map(torch.equal, answer.values, doubled.sample))
    assert all(map(torch.equal, as_float64_result(answer).values, doubled.values))
    assert all(map(torch.equal, as_float64_result(answer).sample, doubled.sample))


class Mixed(nn.Module):
    """Parameters of several dtypes, a complex one among them."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Parameter(torch.randn(3, dtype=torch.float64))
        self.complex = nn.Parameter(torch.randn(3, dtype=torch.complex64))
        self.register_buffer("count", torch.tensor(7))

    def forward(self, x):
        return {"wide": self.wide * x["x"] * x["factor"], "complex": self.complex * 2, "count": self.count + 1}


def test_mixed_and_complex_state_is_widened_where_it_is_narrow():
    models = members(Mixed, 3, seed=0)
    x = {"x": draw(3, seed=1), "factor": 2.0}

    answer = loop(forward, models, [x] * 3)

    assert {name: each.dtype for name, each in answer.truth[0].items()} == {
        "wide": torch.float64,
        "complex": torch.complex128,
        "count": torch.int64,
    }
    assert answer.sample[0]["wide"].dtype == torch.float32
    assert_members_close(
        {name: torch.stack([each[name] for each in answer.values]) for name in answer.values[0]}, answer
    )


def test_the_loop_changes_neither_models_nor_inputs():
    models = members(NormNet, 2, seed=0)
    x = draw(2, SAMPLES, 3, seed=0)
    before = [model.state_dict() for model in models], x.clone()
    before = [{name: tensor.clone() for name, tensor in state.items()} for state in before[0]], before[1]

    def greedy(model, x):
        model.dropout.eval()
        return model(x.mul_(2))

    for dtype in (torch.float32, torch.float64):
        inputs = x.to(dtype)
        loop(greedy, [model.to(dtype) for model in models], list(inputs))
        assert torch.equal(inputs, before[1].to(dtype))
        for model, state in zip(models, before[0], strict=True):
            assert all(torch.equal(tensor, state[name].to(tensor.dtype)) for name, tensor in model.state_dict().items())


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


def test_a_plain_loop_that_fails_is_named_as_such():
    def broken(model, x):
        raise NotImplementedError("no backward here")

    with pytest.raises(PlainLoopError, match="the plain loop fails: NotImplementedError: no backward here"):
        loop(broken, members(small_cnn, 1), [None])


def difference(model, x):
    """What is left of two numbers that cancel: a rounding of either is large beside it."""
    return {"left": x[:1] - x[1:], "count": torch.tensor(3)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_more_draws_measure_an_error_that_one_draw_misses_by_luck(dtype):
    # In float32 these are exact, so that a single loop loses nothing.
    x = torch.tensor([1.0, 1.0 - 2.0**-20], dtype=dtype)
    models = members(small_cnn, 1)

    once, thrice = (loop(difference, models, [x], draws=draws) for draws in (1, 3))

    (lucky,), (measured,) = (
        compute_budgets([each["left"] for each in answer.sample], [each["left"] for each in answer.truth], dtype)
        for answer in (once, thrice)
    )
    assert lucky.loop == 0 < measured.loop
    assert torch.equal(thrice.values[0]["left"], once.values[0]["left"])
    assert torch.equal(thrice.truth[0]["left"], once.truth[0]["left"])
    assert thrice.sample[0]["count"] == 3


def test_a_draw_is_one_rounding_away_and_leaves_the_models_alone():
    seen = []
    models = members(small_cnn, 1)
    before = models[0].conv1.weight.clone()

    loop(lambda model, x: seen.append((model.conv1.weight.detach(), x)) or x, models, [torch.ones(3)], draws=2)

    weight, x = seen[-1]
    assert torch.equal(models[0].conv1.weight, before)
    for actual, exact in ((weight, before), (x, torch.ones(3))):
        assert not torch.equal(actual, exact)
        assert ((actual - exact).abs() <= 2 * torch.finfo(torch.float32).eps * exact.abs()).all()
