"""Does a write under two levels of vmap reach the right element of both?"""

import pytest
import torch

from conformance.cases.operations.compile_source import compile_function
from conformance.cases.operations.inplace_op import consecutive_numbers
from conformance.cases.operations.outcome import attempt
from conformance.numerics.assertions import assert_distinct, assert_same, refuses

# The levels at which a tensor is mapped: (outer, inner).
LEVELS = {"both": (0, 0), "outer": (0, None), "inner": (None, 0), "neither": (None, None)}
OUTER, INNER = 5, 3
NESTED_WRITES = {
    "add_": "s.add_(y)",
    "copy_": "s.copy_(y)",
    "setitem": "s.__setitem__(0, y[0])",
    "index_put_": "s.index_put_((torch.tensor([0], device=s.device),), y[0])",
    "masked_fill_": "s.masked_fill_(y > 5, 3.0)",
    "slow-fallback": "s.lerp_(y, 2.0)",
}


def at(levels, device):
    """Return a tensor with a slice for every element of the levels at which it is mapped."""
    sizes = [size for size, dim in zip((OUTER, INNER), levels, strict=True) if dim == 0]
    return consecutive_numbers(device, *sizes, 2)


def written_by(code):
    return compile_function(code, ("s", "y"), {"torch": torch})


def write_in_two_levels(implementation, code, s, y, s_levels, y_levels):
    """Write under two levels of vmap, which both run whichever levels the tensors are mapped at."""
    (s_outer, s_inner), (y_outer, y_inner) = s_levels, y_levels
    base = torch.zeros(OUTER, INNER, device=s.device)
    written = written_by(code)

    def write(s, y, zero):
        written(s, y)
        return s + zero

    def row(s, y, zeros):
        return implementation.vmap(write, in_dims=(s_inner, y_inner, 0))(s, y, zeros)

    return attempt(lambda: implementation.vmap(row, in_dims=(s_outer, y_outer, 0))(s, y, base))


def covers(s_levels, y_levels):
    return all(ours == 0 for ours, theirs in zip(s_levels, y_levels, strict=True) if theirs == 0)


COVERED = [(s, y) for s in LEVELS for y in LEVELS if covers(LEVELS[s], LEVELS[y]) and y != "neither"]
UNCOVERED = [(s, y) for s in LEVELS for y in LEVELS if not covers(LEVELS[s], LEVELS[y])]
each_nested = pytest.mark.parametrize("code", NESTED_WRITES.values(), ids=NESTED_WRITES)


@pytest.mark.requirement("inplace.nested")
@each_nested
@pytest.mark.parametrize(("s_levels", "y_levels"), COVERED)
def test_a_write_at_the_levels_of_its_operands_is_the_loops(implementation, device, code, s_levels, y_levels):
    s, theirs = at(LEVELS[s_levels], device), at(LEVELS[s_levels], device)
    y = at(LEVELS[y_levels], device) * 2

    outcome = write_in_two_levels(implementation, code, s, y, LEVELS[s_levels], LEVELS[y_levels])

    for (i, j), own in elements(LEVELS[s_levels], theirs):
        written_by(code)(own, element(LEVELS[y_levels], y, i, j))
    outcome.value_or_raise()
    assert_same(s, theirs)
    assert_distinct(s, at(LEVELS[s_levels], device))


@pytest.mark.requirement("inplace.nested")
@each_nested
@pytest.mark.parametrize(("s_levels", "y_levels"), UNCOVERED)
def test_a_write_to_what_is_not_mapped_where_its_operand_is_is_refused(
    implementation, device, code, s_levels, y_levels
):
    s, y = at(LEVELS[s_levels], device), at(LEVELS[y_levels], device) * 2

    outcome = write_in_two_levels(implementation, code, s, y, LEVELS[s_levels], LEVELS[y_levels])

    with refuses("shape|not possible"):
        outcome.value_or_raise()
    assert_same(s, at(LEVELS[s_levels], device))


def element(levels, tensor, i, j):
    """Return the slice of a tensor that element (i, j) of the two levels gets."""
    for level, place in zip(levels, (i, j), strict=True):
        tensor = tensor[place] if level == 0 else tensor
    return tensor


def elements(levels, tensor):
    """Yield each slice of a tensor over its mapped levels once, with an element (i, j) that gets it."""
    for i in range(OUTER if levels[0] == 0 else 1):
        for j in range(INNER if levels[1] == 0 else 1):
            yield (i, j), element(levels, tensor, i, j)
