"""Random operations drawn by all members at once, and comparisons with plain and with stacked draws."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from conformance.cases.operations.outcome import CallOutcome, attempt
from conformance.cases.operations.random_op import (
    RandomOperation,
    draw_from_state,
    draw_with_vmap,
    drawn_numbers,
    stack_values,
)
from conformance.implementations.protocol import Implementation
from conformance.numerics.assertions import assert_distinct, assert_same
from conformance.utils.pytree import tree_map
from conformance.utils.rng import restore, state

TABLE = "random operations"


def draw_for_all(
    implementation: Implementation,
    device: torch.device,
    draw: RandomOperation,
    x: Tensor,
    whose: str,
    mode: str,
    **options: Any,
) -> tuple[CallOutcome, Any, Any]:
    """Return the outcome of a draw by all members, and the state of the generator before and after it."""
    start = state(device)
    outcome = attempt(lambda: draw_with_vmap(implementation, draw.one, x, whose, mode, **options))
    return outcome, start, state(device)


def assert_plain_draw(
    device: torch.device, draw: RandomOperation, xs: Iterable[Tensor], outcome: CallOutcome, start: Any, end: Any
) -> None:
    """Assert that every member got what it draws alone, and that the generator advanced once."""
    assert_same(outcome.value_or_raise(), stack_values([draw_from_state(draw, own, start) for own in xs]))
    assert_same(end, state(device))


def assert_stacked_draws(
    device: torch.device, draw: RandomOperation, batches: Iterable[Tensor], outcome: CallOutcome, start: Any, end: Any
) -> None:
    """Assert that the members got one stacked draw for each batch in turn, all distinct, and the generator advanced."""
    restore(start)
    expected = [draw.all(batch.clone()) for batch in batches]
    assert_same(outcome.value_or_raise(), tree_map(lambda *each: torch.cat(each), *expected))
    assert_same(end, state(device))
    assert_distinct(*drawn_numbers(outcome.value))
