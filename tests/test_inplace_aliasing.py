"""What does a write do where members or arguments share memory?"""

import pytest
import torch

from conformance.cases.members import MEMBERS
from conformance.cases.operations.compile_source import compile_function
from conformance.cases.operations.inplace_op import consecutive_numbers
from conformance.cases.operations.outcome import attempt
from conformance.numerics.assertions import assert_distinct, assert_same, refuses

SHARED_VIEWS = {"itself": lambda x: x, "view": lambda x: x.view(x.shape), "transposed-twice": lambda x: x.mT.mT}


@pytest.mark.requirement("inplace.shared_storage")
@pytest.mark.parametrize("view", SHARED_VIEWS.values(), ids=SHARED_VIEWS)
@pytest.mark.parametrize("code", ["a.add_(1)", "a[0].zero_()", "a.copy_(b * 2)"])
def test_arguments_that_share_memory_show_each_others_writes(implementation, device, view, code):
    ours, theirs = (consecutive_numbers(device, MEMBERS, 2, 3) for _ in range(2))
    written = compile_function(code, ("a", "b"))

    def write(a, b):
        written(a, b)
        return b + 0

    actual = implementation.vmap(write)(ours, view(ours))

    assert_same(actual, torch.stack([write(a, a) for a in theirs]))
    assert_same(ours, theirs)
    assert_distinct(ours, consecutive_numbers(device, MEMBERS, 2, 3))


@pytest.mark.requirement("inplace.captured")
def test_what_is_captured_shows_what_its_members_write(implementation, device):
    x = consecutive_numbers(device, MEMBERS, 2)

    actual = implementation.vmap(lambda row: (row.add_(1), x.sum() + 0 * row)[1])(x)

    assert_same(x, consecutive_numbers(device, MEMBERS, 2) + 1)
    assert_same(actual, x.sum().expand(MEMBERS, 2))


EXPANDED_WRITES = {
    "add_": "s.add_(y)",
    "copy_": "s.copy_(y)",
    "relu_": "s.sub_(y).relu_()",
    "setitem": "s.__setitem__(0, y[0])",
    "view": "s[0].mul_(y[1])",
    "index_add_": "s.index_add_(0, torch.tensor([0], device=s.device), y[:1])",
    "slow-fallback": "s.fmod_(y)",
    "index_put_": "s.index_put_((torch.tensor([0], device=s.device),), y[:1])",
    "masked_fill_": "s.masked_fill_(y > 6, 7.0)",
    "scatter_": "s.scatter_(0, torch.tensor([0], device=s.device), y[:1])",
}


@pytest.mark.requirement("inplace.expanded")
@pytest.mark.parametrize("code", EXPANDED_WRITES.values(), ids=EXPANDED_WRITES)
def test_members_that_are_one_memory_refuse_a_write(implementation, device, code):
    one, y = consecutive_numbers(device, 3), consecutive_numbers(device, MEMBERS, 3)
    written = compile_function(code, ("s", "y"), {"torch": torch})

    def write(s, y):
        written(s, y)
        return s + 0

    outcome = attempt(lambda: implementation.vmap(write)(one.expand(MEMBERS, 3), y))

    with refuses("single memory location"):
        outcome.value_or_raise()
    assert_same(one, consecutive_numbers(device, 3))


@pytest.mark.requirement("inplace.expanded")
def test_windows_that_overlap_refuse_a_write(implementation, device):
    x = consecutive_numbers(device, MEMBERS + 1, 3)

    with refuses("single memory location"):
        implementation.vmap(lambda a, b: a.add_(b))(x[:-1], x[1:])

    assert_same(x, consecutive_numbers(device, MEMBERS + 1, 3))


@pytest.mark.requirement("inplace.unmapped_once")
@pytest.mark.parametrize(("chunk_size", "calls"), [(None, 1), (2, 3), (1, MEMBERS)])
@pytest.mark.parametrize("captured", [False, True], ids=["argument", "captured"])
def test_what_is_not_mapped_is_written_once_a_call(implementation, device, chunk_size, calls, captured):
    count, x = torch.zeros((), device=device), consecutive_numbers(device, MEMBERS, 3)

    def counted(row, count):
        count.add_(1)
        return row + 0

    if captured:
        implementation.vmap(lambda row: counted(row, count), chunk_size=chunk_size)(x)
    else:
        implementation.vmap(counted, in_dims=(0, None), chunk_size=chunk_size)(x, count)

    assert count.item() == calls
