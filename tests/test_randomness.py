"""Do random operations give all members one plain draw, or one stacked draw, as the mode of vmap says?"""

import pytest

from conformance.cases.answered import assert_as_listed
from conformance.cases.members import MEMBERS
from conformance.cases.operations import random_ops
from conformance.cases.operations.outcome import attempt
from conformance.cases.operations.random_op import (
    OWN,
    SHARED,
    draw_from_state,
    draw_with_vmap,
    drawn_numbers,
    make_inputs,
    member_inputs,
    stack_values,
    was_accepted,
)
from conformance.numerics.assertions import DECISIVE, assert_distinct, assert_same
from conformance.report.tables import REFUSED, WRONG
from conformance.utils.rng import restore, state
from conformance.workloads.random_draws import TABLE, assert_plain_draw, assert_stacked_draws, draw_for_all

each_draw = pytest.mark.parametrize("draw", random_ops.RANDOM_OPERATIONS, ids=str)
each_composite = pytest.mark.parametrize("draw", random_ops.COMPOSITES, ids=str)
each_attention = pytest.mark.parametrize("draw", random_ops.ATTENTION, ids=str)
each_recurrent = pytest.mark.parametrize("draw", random_ops.RECURRENT, ids=str)
both_modes = pytest.mark.parametrize("mode", ["same", "different"])
own_and_shared = pytest.mark.parametrize("whose", [OWN, SHARED])
ONE, STACKED = "one plain draw", "one stacked draw"


def judged(implementation, device, outcome, draw, column, answer, record_property):
    """Record the table cell and return whether there is a value to judge; fail if it is not refused as listed."""
    says = REFUSED if outcome.refusal else answer + " (member by member)" * outcome.slow
    fails = REFUSED if outcome.refusal else WRONG
    cell = {"table": TABLE, "row": draw.name, "column": column, "passes": says, "fails": fails}
    record_property("cell", cell)
    if column in draw.refuses:
        assert_as_listed(
            refused=outcome.refusal is not None,
            name=draw.name,
            column=column,
            implementation=implementation,
            device=device,
        )
    return was_accepted(outcome, draw, column)


def assert_one_plain_draw(implementation, device, record_property, draw, whose):
    """Assert that in mode same all members get one plain draw."""
    x = make_inputs(MEMBERS, device)

    outcome, start, end = draw_for_all(implementation, device, draw, x, whose, "same")

    if judged(implementation, device, outcome, draw, f"same, {whose}", ONE, record_property):
        xs = member_inputs(x, whose)
        assert_plain_draw(device, draw, xs, outcome, start, end)
        assert_distinct(drawn_numbers(draw_from_state(draw, xs[-1], start)), drawn_numbers(draw.one(xs[-1])))


@pytest.mark.requirement("randomness.same")
@each_draw
@own_and_shared
def test_in_mode_same_all_members_get_one_plain_draw(implementation, device, record_property, draw, whose):
    assert_one_plain_draw(implementation, device, record_property, draw, whose)


@pytest.mark.requirement("randomness.attention")
@each_attention
@own_and_shared
def test_in_mode_same_attention_drops_by_one_plain_draw(implementation, device, record_property, draw, whose):
    assert_one_plain_draw(implementation, device, record_property, draw, whose)


def assert_one_stacked_draw(implementation, device, record_property, draw, whose):
    """Assert that in mode different the members share one stacked draw."""
    x = make_inputs(MEMBERS, device)

    outcome, start, end = draw_for_all(implementation, device, draw, x, whose, "different")

    if judged(implementation, device, outcome, draw, f"different, {whose}", STACKED, record_property):
        assert_stacked_draws(device, draw, [stack_values(member_inputs(x, whose))], outcome, start, end)


def assert_one_or_distinct(implementation, device, record_property, draw, whose, mode):
    """Assert equal results under one seed, and by the mode one draw for all members or one for each."""
    x = make_inputs(1, device).repeat(MEMBERS, 1, 1)

    outcome, start, end = draw_for_all(implementation, device, draw, x, whose, mode)

    answer = "one draw" if mode == "same" else "distinct draws"
    if judged(implementation, device, outcome, draw, f"{mode}, {whose}", answer, record_property):
        restore(start)
        again = attempt(lambda: draw_with_vmap(implementation, draw.one, x, whose, mode))
        assert_same(again.value, outcome.value)
        assert_same(end, state(device))
        if mode == "different":
            assert_distinct(*drawn_numbers(outcome.value))
        else:
            other = attempt(lambda: draw_with_vmap(implementation, draw.one, x, whose, mode))
            assert_alike(drawn_numbers(outcome.value), drawn_numbers(other.value))


def assert_alike(values, other):
    """Assert that the members have one value but for rounding, small beside the difference of two draws."""
    values, other = values.double(), other.double()
    assert (values - values[:1]).abs().max() <= DECISIVE * (values - other).abs().max()


@pytest.mark.requirement("randomness.different")
@each_draw
@own_and_shared
def test_in_mode_different_the_members_share_one_stacked_draw(implementation, device, record_property, draw, whose):
    assert_one_stacked_draw(implementation, device, record_property, draw, whose)


@pytest.mark.requirement("randomness.attention")
@each_attention
@own_and_shared
def test_in_mode_different_attention_drops_by_one_stacked_draw(implementation, device, record_property, draw, whose):
    assert_one_stacked_draw(implementation, device, record_property, draw, whose)


SOME = [
    draw
    for draw in random_ops.RANDOM_OPERATIONS
    if draw.name in ("torch.rand", "torch.randn_like", "Tensor.uniform_", "F.dropout")
]


@pytest.mark.requirement("randomness.different")
@pytest.mark.parametrize("draw", SOME, ids=str)
@pytest.mark.parametrize("n", [1, 2, 23])
def test_in_mode_different_any_number_of_members_shares_one_stacked_draw(implementation, device, draw, n):
    x = make_inputs(n, device)

    outcome, start, end = draw_for_all(implementation, device, draw, x, OWN, "different")

    assert_stacked_draws(device, draw, [x], outcome, start, end)


@pytest.mark.requirement("randomness.same")
@pytest.mark.parametrize("draw", SOME, ids=str)
@pytest.mark.parametrize("n", [1, 2, 23])
def test_in_mode_same_any_number_of_members_gets_one_plain_draw(implementation, device, draw, n):
    x = make_inputs(n, device)

    outcome, start, end = draw_for_all(implementation, device, draw, x, OWN, "same")

    assert_plain_draw(device, draw, x, outcome, start, end)


@pytest.mark.requirement("randomness.composites")
@each_composite
@own_and_shared
@both_modes
def test_what_draws_inside_gives_the_same_under_a_seed(implementation, device, record_property, draw, whose, mode):
    assert_one_or_distinct(implementation, device, record_property, draw, whose, mode)


@pytest.mark.requirement("randomness.recurrent")
@each_recurrent
@own_and_shared
@both_modes
def test_a_recurrent_network_drops_out_as_the_mode_says(implementation, device, record_property, draw, whose, mode):
    assert_one_or_distinct(implementation, device, record_property, draw, whose, mode)
