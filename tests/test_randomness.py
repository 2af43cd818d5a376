"""Does every random operation draw as the mode of vmap says?"""

import pytest
import torch

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
from conformance.numerics.assertions import DECISIVE, assert_distinct, assert_same, refuses
from conformance.report.tables import REFUSED, WRONG
from conformance.utils.pytree import tree_map
from conformance.utils.rng import restore, state

each_draw = pytest.mark.parametrize("draw", random_ops.RANDOM_OPERATIONS, ids=str)
each_operation = pytest.mark.parametrize("draw", [*random_ops.RANDOM_OPERATIONS, *random_ops.COMPOSITES], ids=str)
each_composite = pytest.mark.parametrize("draw", random_ops.COMPOSITES, ids=str)
each_attention = pytest.mark.parametrize("draw", random_ops.ATTENTION, ids=str)
each_recurrent = pytest.mark.parametrize("draw", random_ops.RECURRENT, ids=str)
both_modes = pytest.mark.parametrize("mode", ["same", "different"])
own_and_shared = pytest.mark.parametrize("whose", [OWN, SHARED])
CHUNK = 2  # the last chunk of five members is a short one

TABLE = "random operations"
ONE, STACKED = "one plain draw", "one stacked draw"


def judged(outcome, draw, column, answer, record_property):
    """Enter the cell of the table; whether there is an answer to judge. A refusal that nobody expects fails."""
    says = REFUSED if outcome.refusal else answer + " (member by member)" * outcome.slow
    fails = REFUSED if outcome.refusal else WRONG
    cell = {"table": TABLE, "row": draw.name, "column": column, "passes": says, "fails": fails}
    record_property("cell", cell)
    return was_accepted(outcome, draw, column)


def assert_nothing_drawn(implementation, device, record_property, draw, whose):
    x = make_inputs(MEMBERS, device)
    before = state(device)

    outcome = attempt(lambda: draw_with_vmap(implementation, draw.one, x, whose, "error"))

    says = REFUSED if outcome.refusal else "drawn"
    cell = {"table": TABLE, "row": draw.name, "column": f"error, {whose}", "passes": says, "fails": says}
    record_property("cell", cell)
    with refuses(f"random|{draw.native}|autograd.Function"):
        outcome.value_or_raise()
    assert_same(state(device), before)


@pytest.mark.requirement("randomness.error")
@each_operation
@own_and_shared
def test_in_mode_error_a_random_operation_is_refused(implementation, device, record_property, draw, whose):
    assert_nothing_drawn(implementation, device, record_property, draw, whose)


@pytest.mark.requirement("randomness.recurrent")
@each_recurrent
@own_and_shared
def test_in_mode_error_dropout_in_a_recurrent_network_is_refused(implementation, device, record_property, draw, whose):
    assert_nothing_drawn(implementation, device, record_property, draw, whose)


@pytest.mark.requirement("randomness.attention")
@each_attention
@own_and_shared
def test_in_mode_error_dropout_in_attention_is_refused(implementation, device, record_property, draw, whose):
    assert_nothing_drawn(implementation, device, record_property, draw, whose)


def drawn_by_all(implementation, device, draw, x, whose, mode, **options):
    """What came of a call, and where the generator stood before it and after it."""
    start = state(device)
    outcome = attempt(lambda: draw_with_vmap(implementation, draw.one, x, whose, mode, **options))
    return outcome, start, state(device)


def assert_plain(device, draw, xs, outcome, start, end):
    """Every member got what it draws alone, and the generator moved once."""
    assert_same(outcome.value_or_raise(), stack_values([draw_from_state(draw, own, start) for own in xs]))
    assert_same(end, state(device))


def assert_stacked(device, draw, batches, outcome, start, end):
    """The members got the numbers of one draw for each batch in turn, all distinct, and the generator moved by them."""
    restore(start)
    expected = [draw.all(batch.clone()) for batch in batches]
    assert_same(outcome.value_or_raise(), tree_map(lambda *each: torch.cat(each), *expected))
    assert_same(end, state(device))
    assert_distinct(*drawn_numbers(outcome.value))


def assert_one_plain_draw(implementation, device, record_property, draw, whose):
    """In mode same."""
    x = make_inputs(MEMBERS, device)

    outcome, start, end = drawn_by_all(implementation, device, draw, x, whose, "same")

    if judged(outcome, draw, f"same, {whose}", ONE, record_property):
        xs = member_inputs(x, whose)
        assert_plain(device, draw, xs, outcome, start, end)
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
    """In mode different."""
    x = make_inputs(MEMBERS, device)

    outcome, start, end = drawn_by_all(implementation, device, draw, x, whose, "different")

    if judged(outcome, draw, f"different, {whose}", STACKED, record_property):
        assert_stacked(device, draw, [stack_values(member_inputs(x, whose))], outcome, start, end)


def assert_one_or_distinct(implementation, device, record_property, draw, whose, mode):
    """Twice the same under a seed, and by the mode one draw for all members, or one for each."""
    x = make_inputs(1, device).repeat(MEMBERS, 1, 1)

    outcome, start, end = drawn_by_all(implementation, device, draw, x, whose, mode)

    answer = "one draw" if mode == "same" else "distinct draws"
    if judged(outcome, draw, f"{mode}, {whose}", answer, record_property):
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
    """The members have one value but for rounding, as against what sets it apart from that of another draw."""
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

    outcome, start, end = drawn_by_all(implementation, device, draw, x, OWN, "different")

    assert_stacked(device, draw, [x], outcome, start, end)


@pytest.mark.requirement("randomness.same")
@pytest.mark.parametrize("draw", SOME, ids=str)
@pytest.mark.parametrize("n", [1, 2, 23])
def test_in_mode_same_any_number_of_members_gets_one_plain_draw(implementation, device, draw, n):
    x = make_inputs(n, device)

    outcome, start, end = drawn_by_all(implementation, device, draw, x, OWN, "same")

    assert_plain(device, draw, x, outcome, start, end)


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


@pytest.mark.requirement("randomness.out")
@pytest.mark.parametrize("draw", random_ops.WITH_OUT, ids=str)
@own_and_shared
@pytest.mark.parametrize("mode", ["error", "same", "different"])
def test_a_random_operation_with_out_is_refused(implementation, device, draw, whose, mode):
    x, before = make_inputs(MEMBERS, device), state(device)

    outcome = attempt(lambda: draw_with_vmap(implementation, draw.one, x, whose, mode))

    with refuses("random|out="):
        outcome.value_or_raise()
    assert_same(state(device), before)


@pytest.mark.requirement("randomness.operations_covered")
def test_every_random_operation_of_this_torch_is_covered(implementation, record_property):
    missing = random_ops.uncovered()
    for name in missing:
        cell = {"table": TABLE, "row": name, "column": "error, own"}
        record_property("cell", {**cell, "passes": "not covered", "fails": "not covered"})

    assert not missing, f"not covered: {', '.join(missing)}"


@pytest.mark.requirement("randomness.placed")
@each_draw
@both_modes
def test_tensors_mapped_along_their_last_dimension_get_their_numbers(implementation, device, draw, mode):
    x = make_inputs(MEMBERS, device)
    placed = x.movedim(0, -1).contiguous()
    start = state(device)

    def call():
        restore(start)
        return implementation.vmap(draw.one, in_dims=-1, randomness=mode)(placed.clone())

    outcome = attempt(call)

    if was_accepted(outcome, draw, f"{mode}, {OWN}"):
        assert_same(attempt(call).value, outcome.value)
        if mode == "different":
            assert_distinct(*drawn_numbers(outcome.value))
        else:
            assert_same(outcome.value, stack_values([draw_from_state(draw, own, start) for own in x]))


@pytest.mark.requirement("randomness.chunks_same")
@each_draw
def test_in_chunks_all_members_get_the_one_plain_draw(implementation, device, draw):
    x = make_inputs(MEMBERS, device)

    outcome, start, end = drawn_by_all(implementation, device, draw, x, OWN, "same", chunk_size=CHUNK)

    if was_accepted(outcome, draw, f"same, {OWN}"):
        assert_plain(device, draw, x, outcome, start, end)


@pytest.mark.requirement("randomness.chunks_different")
@each_draw
def test_each_chunk_gets_its_stacked_draw_in_turn(implementation, device, draw):
    x = make_inputs(MEMBERS, device)

    outcome, start, end = drawn_by_all(implementation, device, draw, x, OWN, "different", chunk_size=CHUNK)

    if was_accepted(outcome, draw, f"different, {OWN}"):
        assert_stacked(device, draw, x.split(CHUNK), outcome, start, end)
