"""Is the caller's generator used in the same way as the default one?"""

import pytest
import torch

from conformance.cases.members import MEMBERS
from conformance.cases.operations import random_ops
from conformance.cases.operations.outcome import attempt
from conformance.cases.operations.random_op import (
    OWN,
    SHARED,
    OperationWithGenerator,
    draw_with_vmap,
    make_inputs,
    member_inputs,
    stack_values,
    was_accepted,
)
from conformance.numerics.assertions import assert_distinct, assert_same, refuses
from conformance.utils.rng import state

DRAWS = [OperationWithGenerator(draw) for draw in random_ops.RANDOM_OPERATIONS if draw.takes_generator]
each_draw = pytest.mark.parametrize("generated", DRAWS, ids=str)
each_like = pytest.mark.parametrize(
    "generated", [OperationWithGenerator(draw) for draw in random_ops.LIKE_WITH_GENERATOR], ids=str
)
own_and_shared = pytest.mark.parametrize("whose", [OWN, SHARED])
both_modes = pytest.mark.parametrize("mode", ["same", "different"])


def fresh(device):
    """Return a generator of the caller's."""
    return torch.Generator(device).manual_seed(3)


def assert_drawn(implementation, device, draw, whose, mode):
    """Assert the same as for the default generator: one plain or stacked draw, or a recorded refusal."""
    x, before = make_inputs(MEMBERS, device), state(device)
    generator, plain = fresh(device), fresh(device)

    outcome = attempt(lambda: draw_with_vmap(implementation, lambda x: draw.one(x, generator), x, whose, mode))

    if was_accepted(outcome, draw, f"{mode}, {whose}"):
        if mode == "different":
            expected = draw.all(stack_values(member_inputs(x, whose)), plain)
        else:
            expected = stack_values([draw.one(own, plain.manual_seed(3)) for own in member_inputs(x, whose)])
        assert_same(outcome.value, expected)
        assert_same(generator.get_state(), plain.get_state())
        assert_same(state(device), before, "the default generator's state")


def assert_refused(implementation, device, draw, whose):
    """Assert that mode error refuses the operation and nothing is drawn."""
    x, generator = make_inputs(MEMBERS, device), fresh(device)

    outcome = attempt(lambda: draw_with_vmap(implementation, lambda x: draw.one(x, generator), x, whose, "error"))

    with refuses(f"random|{draw.native}"):
        outcome.value_or_raise()
    assert_same(generator.get_state(), fresh(device).get_state())


@pytest.mark.requirement("randomness.generator")
@each_draw
@own_and_shared
@both_modes
def test_a_generator_is_drawn_from_as_the_default_one(implementation, device, generated, whose, mode):
    assert_drawn(implementation, device, generated.draw, whose, mode)


@pytest.mark.requirement("randomness.generator")
@each_draw
@own_and_shared
def test_in_mode_error_a_generator_is_not_drawn_from(implementation, device, generated, whose):
    assert_refused(implementation, device, generated.draw, whose)


@pytest.mark.requirement("randomness.generator_of_like")
@each_like
@own_and_shared
@both_modes
def test_a_generator_of_rand_like_is_drawn_from(implementation, device, generated, whose, mode):
    assert_drawn(implementation, device, generated.draw, whose, mode)


@pytest.mark.requirement("randomness.generator_of_like")
@each_like
@own_and_shared
def test_in_mode_error_a_generator_of_rand_like_is_not_drawn_from(implementation, device, generated, whose):
    assert_refused(implementation, device, generated.draw, whose)


@pytest.mark.requirement("randomness.generator_in_chunks")
@both_modes
@pytest.mark.parametrize("chunk_size", [2, 3, 5])
@pytest.mark.parametrize("generated", DRAWS[:1], ids=str)
def test_in_chunks_a_generator_is_drawn_from_as_the_mode_says(implementation, device, mode, generated, chunk_size):
    draw, x = generated.draw, make_inputs(MEMBERS, device)
    generator, plain = fresh(device), fresh(device)

    actual = draw_with_vmap(implementation, lambda x: draw.one(x, generator), x, OWN, mode, chunk_size=chunk_size)

    if mode == "same":
        assert_same(actual, stack_values([draw.one(x[0], plain)] * MEMBERS))
    else:
        assert_distinct(*actual)
        assert_same(actual, torch.cat([draw.all(chunk, plain) for chunk in x.split(chunk_size)]))
    assert_same(generator.get_state(), plain.get_state())
