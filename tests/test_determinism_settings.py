"""Do deterministic algorithms and the caller's other settings apply inside an ensemble?"""

import math
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
import torch
from torch.nn import functional as F

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED, draw
from conformance.cases.members import MEMBERS
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, may_refuse, refuses
from conformance.utils.torch_settings import Threads, deterministic, read_settings
from conformance.workloads.supervised import SupervisedTask, member_results


@pytest.mark.requirement("determinism.deterministic_algorithms")
@pytest.mark.parametrize("case", training_cases.ALL, ids=str)
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_under_deterministic_algorithms_each_member_gets_what_the_loop_gets(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(member_results)

    with deterministic():
        actual, again = (lesson.ensemble_results(implementation) for _ in range(2))

    assert_members_close(actual, expected, "result")
    assert_same(again, actual, "result")


# Operations without a deterministic implementation on any device. Members write to different places.
NOT_DETERMINISTIC = {
    "put_": lambda x: x.clone().put_(x.new_tensor([3, 1], dtype=torch.int64), x[:2]),
    "put": lambda x: torch.put(x, x.new_tensor([2, 0], dtype=torch.int64), x[2:]),
    "max_unpool2d": lambda x: F.max_unpool2d(x.reshape(1, 1, 2, 2), places(x), 2),
    "max_unpool3d": lambda x: F.max_unpool3d(x.reshape(1, 1, 1, 2, 2), places(x)[None], (1, 2, 2)),
}
without_deterministic = pytest.mark.parametrize("operation", NOT_DETERMINISTIC)
# vmap runs these member by member and warns that this is slow.
slow = pytest.mark.filterwarnings("ignore:There is a performance drop")


def places(x):
    return torch.tensor([[[[0, 3], [9, 14]]]], device=x.device)


def looped(func, x):
    return torch.stack([func(member) for member in x])


@slow
@pytest.mark.requirement("determinism.deterministic_refusals")
@without_deterministic
def test_what_is_not_deterministic_is_refused_by_name_inside_vmap(implementation, device, operation):
    func, x = NOT_DETERMINISTIC[operation], draw(MEMBERS, 4, device=device)
    expected = looped(func, x)
    before = x.clone()
    mapped = implementation.vmap(func)

    with deterministic(), refuses("(put|unpool).* does not have a deterministic implementation"):
        mapped(x)

    assert_same(x, before, "input")
    assert_distinct(*expected)
    assert_same(mapped(x), expected, "output without the setting")


@slow
@pytest.mark.requirement("determinism.deterministic_warnings")
@without_deterministic
def test_what_is_not_deterministic_warns_by_name_under_warn_only(implementation, device, operation):
    func, x = NOT_DETERMINISTIC[operation], draw(MEMBERS, 4, device=device)
    expected = looped(func, x)
    mapped = implementation.vmap(func)
    mapped(x)

    with deterministic(warn_only=True), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        actual = mapped(x)

    said = [str(warning.message) for warning in caught]
    assert any(re.search("(put|unpool).* does not have a deterministic implementation", each) for each in said), said
    assert_distinct(*expected)
    assert_same(actual, expected, "output")


@dataclass(frozen=True)
class Memory:
    """A way to get uninitialized memory of shape (3,), and the value it is filled with."""

    name: str
    get: Callable
    fill: complex

    def unavailable_reason(self, device):
        """Return why this torch does not fill such memory, or None if it does."""
        return None if hasattr(torch.utils, "deterministic") else "this torch fills no memory"

    def __str__(self):
        return self.name


MEMORY = (
    Memory("empty", lambda x: torch.empty(3, device=x.device), math.nan),
    Memory("empty_like", torch.empty_like, math.nan),
    Memory("new_empty", lambda x: x.new_empty(3), math.nan),
    Memory("empty_strided", lambda x: torch.empty_strided((3,), (2,), device=x.device), math.nan),
    Memory("new_empty_strided", lambda x: x.new_empty_strided((3,), (2,)), math.nan),
    Memory("float64", lambda x: torch.empty_like(x, dtype=torch.float64), math.nan),
    Memory("bfloat16", lambda x: torch.empty_like(x, dtype=torch.bfloat16), math.nan),
    Memory("int64", lambda x: torch.empty_like(x, dtype=torch.int64), 2**63 - 1),
    Memory("uint8", lambda x: torch.empty_like(x, dtype=torch.uint8), 255),
    Memory("bool", lambda x: torch.empty_like(x, dtype=torch.bool), True),
)


@pytest.mark.requirement("determinism.deterministic_memory")
@pytest.mark.parametrize("memory", MEMORY, ids=str)
def test_memory_is_filled_inside_vmap_as_it_is_outside(implementation, device, memory):
    x = draw(MEMBERS, 3, device=device)

    with deterministic():
        expected = looped(memory.get, x)
        actual = implementation.vmap(memory.get)(x)

    assert_same(expected, torch.full_like(expected, memory.fill), "memory outside")
    assert_same(actual, expected, "memory inside")


SETTINGS = {
    "deterministic": deterministic,
    "warn-only": lambda: deterministic(warn_only=True),
    "three-threads": Threads(3).at_work,
    "no-gradients": torch.no_grad,
}
ENDS = {"returns": torch.sin, "raises": lambda x: x / (0 / 0), "refused": lambda x: x * x.item()}


@pytest.mark.requirement("determinism.settings")
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("end", ENDS)
def test_a_call_sees_the_settings_of_its_caller_and_leaves_them(implementation, device, setting, end):
    seen = []

    def member(x):
        seen.append(read_settings())
        return ENDS[end](x)

    outside = read_settings()
    with SETTINGS[setting]():
        before = read_settings()
        with suppress(ZeroDivisionError), may_refuse("item|Scalar"):
            implementation.vmap(member)(draw(MEMBERS, 3, device=device))
        after = read_settings()

    assert before != outside, "nothing was set"
    assert seen
    assert all(each == before for each in seen)
    assert after == before
    assert read_settings() == outside
