"""Do custom autograd functions work in the ensemble as in the loop?"""

from functools import partial

import pytest
import torch

from conformance.cases.autograd_functions import (
    Generated,
    InplaceDouble,
    InplaceExp,
    OldStyle,
    Ruled,
    RuledAndGenerated,
    ScaledProduct,
    WithoutRule,
    make_body,
    make_own_rule,
)
from conformance.cases.data import OWN_AND_SHARED, SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.side_effects import LinearThenBody, make_minibatches, output_and_gradients, sum_of_squares
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.workloads.supervised import ensemble_gradients

named = {"ids": lambda function: function.__name__}


def applying(body, device):
    return members(partial(LinearThenBody, body), MEMBERS, device=device, dtype=torch.float64)


def assert_learns(implementation, models, data, device):
    """Assert that output and gradients, by backward and by `torch.func.grad` inside, are the loop's."""
    x, inputs = make_minibatches(data, device)
    expected = loop(output_and_gradients, models, inputs)
    ensemble = Ensemble(implementation, models)

    out = ensemble(x, data)
    sum_of_squares(out).backward()
    inside = ensemble.map(torch.func.grad(lambda *args: sum_of_squares(ensemble.member(*args))), x, data=data)

    assert_distinct(*out)
    for found in (ensemble_gradients(ensemble), inside):
        assert_members_close({"out": out, "gradients": found}, expected, "result")


@pytest.mark.requirement("purity.function_of_old_style")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_function_without_setup_context_is_refused(implementation, device, data):
    models = applying(make_body(OldStyle), device)
    ensemble = Ensemble(implementation, models)

    with unchanged(*models), refuses("setup_context"):
        ensemble(make_minibatches(data, device)[0], data)


@pytest.mark.requirement("purity.function_without_rule")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize("function", [WithoutRule, RuledAndGenerated], **named)
def test_a_function_without_one_rule_is_refused(implementation, device, data, function):
    models = applying(make_body(function), device)
    ensemble = Ensemble(implementation, models)

    with unchanged(*models), refuses("generate_vmap_rule"):
        ensemble(make_minibatches(data, device)[0], data)


@pytest.mark.requirement("purity.function_generated")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_function_with_a_generated_rule_learns_as_in_the_loop(implementation, device, data):
    assert_learns(implementation, applying(make_body(Generated), device), data, device)


@pytest.mark.requirement("purity.function_generated")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_generated_rule_takes_several_inputs_and_what_is_no_tensor(implementation, device, data):
    models = applying(lambda h, x: torch.stack(ScaledProduct.apply(h, x.sum(1, keepdim=True), 3.0)), device)

    assert_learns(implementation, models, data, device)


@pytest.mark.requirement("purity.function_jvp")
@pytest.mark.parametrize("function", [Generated, Ruled], **named)
def test_a_function_has_each_members_derivative_in_forward_mode(implementation, device, function):
    models = applying(make_body(function), device)
    x, inputs = make_minibatches(0, device)
    expected = loop(lambda model, row: torch.func.jvp(model, (row,), (row.cos(),)), models, inputs)
    ensemble = Ensemble(implementation, models)

    def tangents(params, buffers, row):
        return torch.func.jvp(lambda row: ensemble.member(params, buffers, row), (row,), (row.cos(),))

    assert_members_close(ensemble.map(tangents, x), expected)


@pytest.mark.requirement("purity.function_ruled")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_function_with_its_own_rule_learns_as_in_the_loop(implementation, device, data):
    assert_learns(implementation, applying(make_body(Ruled), device), data, device)


@pytest.mark.requirement("purity.function_ruled")
@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_a_rule_may_return_its_members_along_any_dimension(implementation, device, dim):
    function = make_own_rule("Moved", lambda out, was: (out.movedim(was, dim), dim))

    assert_learns(implementation, applying(make_body(function), device), 0, device)


RANDOMNESS = ("error", "different", "same")


@pytest.mark.requirement("purity.function_info")
@pytest.mark.parametrize("randomness", RANDOMNESS)
@pytest.mark.parametrize("in_dim", [0, 1, -1])
def test_a_rule_is_told_how_many_members_and_where(implementation, device, in_dim, randomness):
    x = draw(3, 2, 5, device=device)
    Ruled.seen.clear()

    out = implementation.vmap(Ruled.apply, in_dim, in_dim, randomness)(x)

    assert_same(out, x.exp())
    assert Ruled.seen == [(x.shape[in_dim], randomness, (in_dim % 3,), (3, 2, 5))]


@pytest.mark.requirement("purity.function_info")
def test_a_rule_is_told_the_size_of_each_chunk_and_level(implementation, device):
    x = draw(5, 3, 2, device=device)
    vmap = implementation.vmap
    Ruled.seen.clear()

    assert_same(vmap(Ruled.apply, chunk_size=2)(x), x.exp())
    assert_same(vmap(vmap(Ruled.apply), randomness="same")(x), x.exp())
    assert_same(vmap(lambda row: Ruled.apply(x) + row)(x), x.exp() + x[:, None])

    assert [seen[0] for seen in Ruled.seen] == [2, 2, 1, 3, 5]
    assert [seen[1] for seen in Ruled.seen] == ["error"] * 4 + ["same"]


RULES = {
    "too_far": (lambda out, dim: (out, 5), "Dimension|out_dim"),
    "string": (lambda out, dim: (out, "0"), "int"),
    "structure": (lambda out, dim: (out, (0, 0)), "structure"),
    "no_dims": (lambda out, dim: out, "two returns|out_dims"),
    "no_tensor": (lambda out, dim: (3.0, 0), "Tensor|float"),
}


@pytest.mark.requirement("purity.function_rule_refused")
@pytest.mark.parametrize(("returned", "word"), RULES.values(), ids=RULES)
def test_a_rule_that_returns_what_makes_no_sense_is_refused(implementation, device, returned, word):
    function = make_own_rule("Senseless", returned)
    ensemble = Ensemble(implementation, applying(make_body(function), device))

    with pytest.raises((RuntimeError, ValueError, TypeError, IndexError, AttributeError), match=word):
        ensemble(make_minibatches(0, device)[0])

    assert_learns(implementation, applying(make_body(Ruled), device), 0, device)


WRONG_SIZES = {"fewer": lambda out, dim: (out[:2], 0), "moved": lambda out, dim: (out, 1)}


@pytest.mark.requirement("purity.function_rule_of_another_size")
@pytest.mark.parametrize("used", [True, False], ids=["used", "returned"])
@pytest.mark.parametrize("returned", WRONG_SIZES.values(), ids=WRONG_SIZES)
def test_a_rule_that_returns_another_number_of_members_is_refused(implementation, device, returned, used):
    function = make_own_rule("Resized", returned)

    with refuses("size"):
        implementation.vmap(lambda row: function.apply(row) + row if used else function.apply(row))(
            draw(MEMBERS, SAMPLES, device=device)
        )


@pytest.mark.requirement("purity.function_in_place")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_function_that_writes_to_its_input_learns_as_in_the_loop(implementation, device, data):
    assert_learns(implementation, applying(make_body(InplaceExp), device), data, device)


@pytest.mark.requirement("purity.function_in_place_generated")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_function_that_writes_with_a_generated_rule_learns_as_in_the_loop(implementation, device, data):
    assert_learns(implementation, applying(make_body(InplaceDouble), device), data, device)
