"""Does a randomness mode of vmap apply to its own call and level only?"""

import pytest
import torch
from torch.nn import functional as F

from conformance.numerics.assertions import assert_distinct, assert_same, refuses
from conformance.utils.rng import restore, state

OUTER, INNER, SIZE = 5, 3, 61
# Each draws for `x`, of one element or several.
OPERATIONS = {
    "rand": lambda x: torch.rand(x.shape, device=x.device),
    "randn_like": torch.randn_like,
    "bernoulli": lambda x: torch.bernoulli(torch.full(x.shape, 0.5, device=x.device)),
    "dropout": F.dropout,
}
each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def ones(*shape, device):
    return torch.ones(*shape, SIZE, device=device)


def nested(implementation, operation, outer, inner, device):
    """Return the operation's result under two levels of vmap, (5, 3, 61)."""

    def of_row(row):
        return implementation.vmap(operation, randomness=inner)(row)

    return implementation.vmap(of_row, randomness=outer)(ones(OUTER, INNER, device=device))


@pytest.mark.requirement("randomness.nested")
@each_operation
@pytest.mark.parametrize("outer", ["same", "different"])
@pytest.mark.parametrize("inner", ["same", "different"])
def test_each_mode_counts_for_its_own_level(implementation, device, operation, outer, inner):
    sizes = [size if mode == "different" else 1 for mode, size in ((outer, OUTER), (inner, INNER))]
    start = state(device)

    actual = nested(implementation, operation, outer, inner, device)
    end = state(device)

    restore(start)
    expected = operation(ones(*sizes, device=device))
    assert_same(actual, expected.expand(OUTER, INNER, SIZE))
    assert_same(end, state(device))
    assert_distinct(*expected.flatten(0, 1))


@pytest.mark.requirement("randomness.nested_error")
@each_operation
@pytest.mark.parametrize(
    ("outer", "inner"),
    [("error", "error"), ("error", "same"), ("error", "different"), ("same", "error"), ("different", "error")],
)
def test_mode_error_of_either_level_refuses(implementation, device, operation, outer, inner):
    before = state(device)

    with refuses("random"):
        nested(implementation, operation, outer, inner, device)

    assert_same(state(device), before)


class StopError(Exception):
    """An exception that ends a call half-way."""


def draw_and_stop(x):
    torch.rand_like(x)
    raise StopError


def ended(implementation, mode, x, *, early, **options):
    """Run a call in that mode to its end: it draws, and returns or raises."""
    if not early:
        implementation.vmap(torch.rand_like, randomness=mode, **options)(x)
        return
    with pytest.raises(StopError):
        implementation.vmap(draw_and_stop, randomness=mode, **options)(x)


well_or_early = pytest.mark.parametrize("early", [False, True], ids=["well", "by-exception"])
whole_or_in_chunks = pytest.mark.parametrize("options", [{}, {"chunk_size": 2}], ids=["whole", "chunks"])


@pytest.mark.requirement("randomness.no_leak")
@pytest.mark.parametrize("mode", ["same", "different"])
@well_or_early
@whole_or_in_chunks
def test_after_a_call_the_next_one_has_its_own_mode(implementation, device, mode, early, options):
    x = ones(OUTER, device=device)

    ended(implementation, mode, x, early=early, **options)

    plain = torch.rand_like(x)
    assert_distinct(*plain)
    with refuses("random"):
        implementation.vmap(torch.rand_like)(x)
    assert_distinct(*implementation.vmap(torch.rand_like, randomness="different")(x))
    drawn = implementation.vmap(torch.rand_like, randomness="same")(x)
    assert_same(drawn, drawn[:1].expand_as(drawn))


@pytest.mark.requirement("randomness.no_leak")
@pytest.mark.parametrize("outer", ["same", "different"])
@pytest.mark.parametrize("inner", ["same", "different"])
@well_or_early
@whole_or_in_chunks
def test_after_an_inner_call_the_outer_mode_is_back(implementation, device, outer, inner, early, options):
    start = state(device)

    def between(x):
        ended(implementation, inner, ones(INNER, device=device), early=early, **options)
        return torch.rand_like(x)

    drawn = implementation.vmap(between, randomness=outer)(ones(OUTER, device=device))

    if outer == "different":
        assert_distinct(*drawn)
    else:
        assert_same(drawn, drawn[:1].expand_as(drawn))
    assert_distinct(start[device.type], state(device)[device.type])


@pytest.mark.requirement("randomness.no_leak")
@pytest.mark.parametrize("inner", ["same", "different"])
@whole_or_in_chunks
def test_an_outer_mode_error_survives_an_inner_call(implementation, device, inner, options):
    def between(x):
        with refuses("random"):
            implementation.vmap(torch.rand_like, randomness=inner, **options)(ones(INNER, device=device))
        return torch.rand_like(x)

    with refuses("random"):
        implementation.vmap(between)(ones(OUTER, device=device))

    assert torch.rand(2, device=device).shape == (2,)
