"""Does the plain loop give the truth, and measure its own error where one number is exact by luck?"""

from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from derive_shares import case_named
from torch import nn

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet, TiedNet
from conformance.checks.outputs import loop_outputs
from conformance.checks.subject import Subject
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.numerics.budget import compute_budgets, max_error, recorded_shares
from conformance.numerics.plain_loop import PlainLoopError, as_constant, as_float64_result, loop
from conformance.reference.simple_cnn import small_cnn


def forward(model, x):
    return model(x)


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


@pytest.mark.parametrize(
    ("dtype", "runs"),
    # Two members each: the values, the sample of float64 or the truth of float32, the values again, one more draw.
    [(torch.float64, "==~~==~~"), (torch.float32, "======~~")],
    ids=["float64", "float32"],
)
def test_a_constant_is_one_rounding_away_only_where_an_error_is_measured(dtype, runs):
    ones = torch.ones(3)
    seen = []

    def constant(model, x):
        seen.append(as_constant(ones.to(x.dtype)))
        return x

    loop(constant, members(small_cnn, 2, dtype=dtype), [ones.to(dtype)] * 2).measured_again()

    errors = [max_error(each, ones.double()) for each in seen]
    assert "".join("~" if error else "=" for error in errors) == runs
    assert max(errors) <= 2 * torch.finfo(torch.float32).eps
    assert_distinct(*seen[-2:])
    assert as_constant(ones) is ones


def test_a_gradient_of_constants_alone_has_another_error_in_each_member():
    answer = loop_outputs(Subject(case_named("BatchNorm3d"), TorchFunc())).result

    truths, samples = ([each["gradient"]["bias"] for each in trees] for trees in (answer.truth, answer.sample))
    assert all(torch.equal(each, truths[0]) for each in truths)
    assert len({max_error(*pair) for pair in zip(samples, truths, strict=True)}) == MEMBERS


def lucky_loop(models, x):
    """Return a loop that is exact in float32 by luck: one rounding of its input is four of its output."""
    return loop(lambda model, x: x[:1] - x[1:] + 0 * model.conv1.bias.sum(), models, [x])


LUCKY = torch.tensor([1.0, 0.75], dtype=torch.float64)


@pytest.mark.parametrize(
    ("share", "again"), [(0.3, 0), (0.6, 1), (3.0, 1), (9.0, 0)], ids=["fits", "near", "beyond", "hopeless"]
)
def test_the_loop_is_measured_again_only_where_a_comparison_is_in_doubt(share, again):
    answer = lucky_loop(members(small_cnn, 1, dtype=torch.float64), LUCKY)
    (budget,) = compute_budgets(answer.sample, answer.truth, torch.float64)
    drawn = []
    counted = replace(answer, draw=lambda seed: drawn.append(seed) or answer.draw(seed))

    with suppress(AssertionError):
        assert_members_close(answer.truth[0][None] + share * budget.allowed, counted)

    assert drawn == [1] * again


def test_an_error_that_only_more_draws_explain_passes_and_a_larger_one_fails_after_a_few():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    answer = lucky_loop(members(small_cnn, 1, dtype=torch.float64), LUCKY)
    unit = torch.finfo(torch.float64).eps

    with recorded_shares() as shares:
        assert_members_close(answer.truth[0][None] + unit, answer)
    assert 0 < max(shares) < 0.5
    never_far = replace(answer, draw=lambda seed: answer.sample)
    with pytest.raises(AssertionError, match="output differs by"):
        assert_members_close(answer.truth[0][None] + unit, never_far)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "change",
    [lambda model: model.conv1.bias.data.fill_(torch.nan), lambda model: delattr(model, "conv1")],
    ids=["value", "module"],
)
def test_an_error_is_not_measured_again_on_models_that_have_changed(change):
    models = members(small_cnn, 1, dtype=torch.float64)
    answer = lucky_loop(models, LUCKY)

    change(models[0])

    assert answer.measured_again() is None


def test_selected_members_keep_their_results_and_their_draws():
    models = members(small_cnn, 3, seed=0, dtype=torch.float64)
    answer = loop(forward, models, list(draw(3, SAMPLES, 1, 8, 8, seed=0, dtype=torch.float64)))

    selected = answer.select([2, 0])

    assert torch.equal(selected.values[0], answer.values[2])
    again, of_all = selected.measured_again(), answer.measured_again()
    for found in (again.truth, again.sample), (selected.truth, selected.sample):
        assert [len(trees) for trees in found] == [2, 2]
    assert torch.equal(again.sample[1], of_all.sample[0])
    assert not torch.equal(again.sample[1], selected.sample[1])
    models[0].conv1.bias.data.zero_()
    assert selected.measured_again() is None
    assert replace(answer, draw=None).select([0]).measured_again() is None
