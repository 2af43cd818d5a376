"""Does a failure say which member, which tensor, by how much, of how much allowed?"""

import math
from functools import reduce

import pytest
import torch
from torch import nn

from conformance.cases.data import draw
from conformance.cases.members import members
from conformance.cases.networks import NormNet
from conformance.numerics.assertions import (
    assert_distinct,
    assert_members_close,
    assert_same,
    assert_same_decisions,
    assert_slices,
    may_refuse,
    refuses,
    unchanged,
)
from conformance.numerics.plain_loop import LoopResult, as_constant, loop


def answer(*values):
    """What a loop answers that is exact, with one tree a member."""
    return LoopResult(values, values, values)


ROWS = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=torch.float64)


def test_equal_members_pass():
    assert_members_close(ROWS, answer(*ROWS))
    assert_members_close(
        {"a": ROWS, "n": torch.arange(3)}, answer(*({"a": ROWS[i], "n": torch.tensor(i)} for i in range(3)))
    )


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        (ROWS + torch.tensor([[0.0], [0.25], [0.0]]), r"member 1: output differs by 0.25 from .* \(budget 8.88e-16\)$"),
        (ROWS[[0, 2, 1]], "member 1: output differs by 2 .*; it is what member 2 should have"),
        (ROWS[:2], r"output has shape \(2, 2\), and has to have \(3, 2\)"),
        (ROWS.float(), "output has dtype torch.float32, and has to have torch.float64"),
        (ROWS.to("meta"), "output has device meta, and has to have cpu"),
        ([ROWS], r"output has the structure list\(0=\*\), the loop's \*"),
        (3.0, "output is a float, and has to be a tensor"),
        (torch.full_like(ROWS, math.nan), "member 0: output differs by inf"),
    ],
    ids=["off", "swapped", "shape", "dtype", "device", "structure", "no-tensor", "nan"],
)
def test_a_failure_names_member_tensor_error_and_budget(actual, message):
    with pytest.raises(AssertionError, match=message):
        assert_members_close(actual, answer(*ROWS))


def test_a_failure_in_a_tree_names_its_path_and_integers_have_to_be_equal():
    expected = answer(*({"counts": [torch.tensor(i)]} for i in range(3)))

    with pytest.raises(AssertionError, match=r"member 2: result\['counts'\]\[0\] is 7, and has to be 2"):
        assert_members_close({"counts": [torch.tensor([0, 1, 7])]}, expected, "result")


TERMS = torch.arange(1, 169, dtype=torch.float64).square().cos()


def exact_sum(model, x):
    """Sum constants with one rounding at the end, as kernels do whose float32 sums are float64."""
    return as_constant(TERMS.to(x.dtype)).double().sum().to(x.dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_where_the_loop_is_exact_the_roundings_of_a_sum_pass_and_a_wrong_term_does_not(dtype):
    expected = loop(exact_sum, members(NormNet, 3, dtype=dtype), [torch.ones(1, dtype=dtype)] * 3, numbers=15)
    terms = TERMS.to(dtype)
    orders = [terms[torch.randperm(len(terms), generator=torch.Generator().manual_seed(i))] for i in range(30)]

    sums = torch.stack([reduce(torch.add, each) for each in orders])
    for three in sums.split(3):
        assert_members_close(three, expected)

    assert len(sums.unique()) > 1
    with pytest.raises(AssertionError, match="member 0: output differs by"):
        assert_members_close(sums[:3] - terms.abs().min(), expected)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (torch.tensor([1.0, math.nan]), None),
        (torch.tensor([1.0, 2.0]), r"tensor is .*, and has to be"),
        (torch.tensor([1.0, math.nan]).double(), "dtype"),
        (torch.tensor([[1.0, math.nan]]), "shape"),
        ([torch.tensor([1.0, math.nan])], "structure"),
    ],
    ids=["same", "value", "dtype", "shape", "structure"],
)
def test_the_same_means_bitwise(other, message):
    tensor = torch.tensor([1.0, math.nan])

    if message is None:
        assert_same(tensor, other)
    else:
        with pytest.raises(AssertionError, match=message):
            assert_same(tensor, other)


def test_the_same_on_meta_is_shape_and_dtype():
    assert_same(torch.zeros(3, device="meta"), torch.ones(3, device="meta"))
    with pytest.raises(AssertionError, match="shape"):
        assert_same(torch.zeros(3, device="meta"), torch.ones(2, device="meta"))


def test_slices_are_compared_by_member_and_name():
    states = [{"w": torch.tensor([1.0, i])} for i in range(3)]
    stacked = torch.stack([state["w"] for state in states])

    assert_slices({"w": stacked}, states)
    with pytest.raises(AssertionError, match="member 0: w stacked is"):
        assert_slices({"w": stacked.flip(0)}, states)
    with pytest.raises(AssertionError, match=r"stacked \['v'\], and the members have \['w'\]"):
        assert_slices({"v": stacked}, states)
    with pytest.raises(AssertionError, match=r"w has shape \(2, 2\), and has to have 3 in front"):
        assert_slices({"w": stacked[:2]}, states)


def test_an_empty_victory_is_noticed():
    assert_distinct(torch.zeros(2), torch.ones(2))
    with pytest.raises(AssertionError, match="an empty victory: 0 and 2 are the same"):
        assert_distinct(torch.zeros(2), torch.ones(2), torch.zeros(2))


def test_a_refusal_has_a_type_and_names_what_is_wrong():
    with refuses("shape"):
        raise ValueError("the Shapes differ")
    with (
        pytest.raises(AssertionError, match="accepted silently; a refusal that names 'shape' was due"),
        refuses("shape"),
    ):
        pass
    with pytest.raises(AssertionError, match="refused without naming 'shape': RuntimeError: no"), refuses("shape"):
        raise RuntimeError("no")
    with pytest.raises(KeyError), refuses("shape"):
        raise KeyError("shape")


def test_a_refusal_that_is_allowed_names_what_is_wrong():
    with may_refuse("shape"):
        pass
    with may_refuse("shape"):
        raise ValueError("the Shapes differ")
    with pytest.raises(AssertionError, match="refused without naming 'shape': RuntimeError: no"), may_refuse("shape"):
        raise RuntimeError("no")
    with pytest.raises(IndexError), may_refuse("shape"):
        raise IndexError("shape")


def fill(model):
    with torch.no_grad():
        model.fc1.weight.zero_()


def fill_behind_autograds_back(model):
    model.fc1.weight.data.zero_()


def reorder(model):
    weight, bias = model.fc1.weight, model.fc1.bias
    del model.fc1.weight, model.fc1.bias
    model.fc1.bias, model.fc1.weight = bias, weight


def replace(model):
    model.fc1.weight = nn.Parameter(model.fc1.weight.detach().clone())


def add_gradient(model):
    model.fc1.weight.grad = torch.ones_like(model.fc1.weight)


def change_gradient(model):
    model.fc1.bias.grad.zero_()


def freeze(model):
    model.fc1.weight.requires_grad_(False)


def switch_mode(model):
    model.dropout.eval()


def add_buffer(model):
    model.register_buffer("more", torch.ones(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (fill, "version of fc1.weight was"),
        (fill_behind_autograds_back, r"model 1\['fc1.weight'\] is"),
        (reorder, "order of names"),
        (replace, "identity of fc1.weight"),
        (add_gradient, "gradient of fc1.weight"),
        (change_gradient, r"model 1\['gradient of fc1.bias'\] is"),
        (freeze, "requires_grad of fc1.weight was True and is False"),
        (switch_mode, "mode of 'dropout' was True and is False"),
        (add_buffer, "more"),
    ],
    ids=[
        "fill",
        "fill-data",
        "reorder",
        "replace",
        "add-gradient",
        "change-gradient",
        "freeze",
        "switch-mode",
        "add-buffer",
    ],
)
def test_every_change_of_a_module_is_noticed(change, message):
    models = members(NormNet, 2, seed=0)
    models[1].fc1.bias.grad = torch.ones_like(models[1].fc1.bias)

    with unchanged(*models):
        loop(lambda model, x: model.eval()(x), models, [draw(7, 3, seed=0)] * 2)
    with pytest.raises(AssertionError, match=message), unchanged(*models):
        change(models[1])


def test_decisions_are_the_same_within_a_fifth_of_what_sets_members_apart():
    apart = torch.tensor([[0.0, 0.0], [1.0, 1.0], [5.0, 5.0]])

    assert_same_decisions(apart + 0.19, apart)
    with pytest.raises(AssertionError, match=r"member 0 is 0.21 away, and other members 1 and more"):
        assert_same_decisions(apart + 0.21, apart)
    with pytest.raises(AssertionError, match="member 0 is 1 away"):
        assert_same_decisions(apart[[1, 0, 2]], apart)
    with pytest.raises(AssertionError, match="member 0 is nan away"):
        assert_same_decisions(apart * math.nan, apart)
