"""Do members get the same draws in chunks, and mapped along another dimension?"""

import pytest

from conformance.cases.members import MEMBERS
from conformance.cases.operations import random_ops
from conformance.cases.operations.outcome import attempt
from conformance.cases.operations.random_op import (
    OWN,
    draw_from_state,
    drawn_numbers,
    make_inputs,
    stack_values,
    was_accepted,
)
from conformance.numerics.assertions import assert_distinct, assert_same
from conformance.utils.rng import restore, state
from conformance.workloads.random_draws import assert_plain_draw, assert_stacked_draws, draw_for_all

each_draw = pytest.mark.parametrize("draw", random_ops.RANDOM_OPERATIONS, ids=str)
both_modes = pytest.mark.parametrize("mode", ["same", "different"])
CHUNK = 2  # the last chunk of five members is shorter


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

    outcome, start, end = draw_for_all(implementation, device, draw, x, OWN, "same", chunk_size=CHUNK)

    if was_accepted(outcome, draw, f"same, {OWN}"):
        assert_plain_draw(device, draw, x, outcome, start, end)


@pytest.mark.requirement("randomness.chunks_different")
@each_draw
def test_each_chunk_gets_its_stacked_draw_in_turn(implementation, device, draw):
    x = make_inputs(MEMBERS, device)

    outcome, start, end = draw_for_all(implementation, device, draw, x, OWN, "different", chunk_size=CHUNK)

    if was_accepted(outcome, draw, f"different, {OWN}"):
        assert_stacked_draws(device, draw, x.split(CHUNK), outcome, start, end)
