"""Does autocast do the same inside vmap as in the loop, and does every setting end with its block?"""

from contextlib import suppress

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.data import draw
from conformance.cases.members import MEMBERS
from conformance.cases.numeric_settings import AUTOCASTS, CALL, COARSER, EVERYTHING, LIBRARIES, MEMBER
from conformance.cases.operations.autocast_ops import OPERATIONS, AutocastOperation
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.utils.torch_settings import read_settings


@pytest.mark.requirement("parity.autocast_operations")
@pytest.mark.parametrize(
    ("scope", "operation"),
    [(CALL, AutocastOperation(name, dtype)) for name in OPERATIONS for dtype in (torch.bfloat16, torch.float16)]
    + [(MEMBER, AutocastOperation(name, torch.bfloat16)) for name in OPERATIONS],
    ids=str,
)
# vmap runs some operations member by member and warns that this is slow.
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_an_operation_is_cast_as_in_the_loop(implementation, device, operation, scope):
    func = operation.func
    xs, ws = draw(MEMBERS, 4, 3, device=device), draw(MEMBERS, 3, 3, seed=2, device=device)

    def cast(*args):
        with torch.autocast(device.type, dtype=operation.dtype):
            return func(*args)

    expected = loop(
        lambda _, given: cast(*given),
        [nn.Identity()] * MEMBERS,
        list(zip(xs, ws, strict=True)),
        plain=lambda _, given: func(*given),
    )

    if scope == CALL:
        with torch.autocast(device.type, dtype=operation.dtype):
            actual = implementation.vmap(func)(xs, ws)
    else:
        actual = implementation.vmap(cast)(xs, ws)

    assert_distinct(*actual)
    assert_members_close(actual, expected)


@pytest.mark.requirement("parity.autocast_calls")
@pytest.mark.parametrize("setting", [each for each in AUTOCASTS if each.scope == CALL], ids=str)
def test_calls_in_one_region_answer_each_for_its_own_weights(implementation, device, setting):
    # Autocast caches the casts of parameters only.
    first, second = (draw(MEMBERS, 3, 3, seed=seed, device=device).requires_grad_() for seed in (1, 2))
    xs = draw(MEMBERS, 7, 3, device=device)
    mapped = implementation.vmap(F.linear)
    nested = implementation.vmap(implementation.vmap(F.linear, in_dims=(0, None)), in_dims=(None, 0))

    def looped(xs, weights):
        def cast(_, given):
            with setting.set(device):
                return F.linear(*given).detach()

        given = list(zip(xs, weights.detach(), strict=True))
        return loop(cast, [nn.Identity()] * len(given), given, plain=lambda _, given: F.linear(*given).detach())

    expected = [looped(xs, weights) for weights in (first, second, first, second)]
    pairs = looped(xs.repeat(MEMBERS, 1, 1), second.repeat_interleave(MEMBERS, 0))

    with setting.set(device):
        actual = [mapped(xs, first), mapped(xs, second), mapped(xs, first)]
        actual.append(implementation.vmap(F.linear, chunk_size=2)(xs, second))
        actual_pairs = nested(xs, second)

    for ours, theirs in zip(actual, expected, strict=True):
        assert_distinct(*ours)
        assert_members_close(ours, theirs)
    assert_members_close(actual_pairs.flatten(0, 1), pairs)


# torch's flags are the same for all devices: they are set for the CPU, which every machine has.
CPU = torch.device("cpu")
UNUSUAL = {str(each): each for each in (*LIBRARIES, *COARSER[:3], *AUTOCASTS[:2])}
ENDS = {"returns": torch.sin, "raises": lambda x: x / (0 / 0)}


@pytest.mark.requirement("parity.settings")
@pytest.mark.parametrize("name", UNUSUAL)
@pytest.mark.parametrize("end", ENDS)
def test_a_call_sees_the_numerics_of_its_caller_and_leaves_them(implementation, device, name, end):
    setting, seen = UNUSUAL[name], []

    def member(x):
        with setting.around(MEMBER, CPU):
            seen.append(read_settings())
            return ENDS[end](x)

    outside = read_settings()
    with setting.set(CPU):
        within = read_settings()
    with setting.around(EVERYTHING, CPU), setting.around(CALL, CPU):
        before = read_settings()
        with suppress(ZeroDivisionError):
            implementation.vmap(member)(draw(MEMBERS, 3, device=device))
        after = read_settings()

    assert within != outside, "nothing was set"
    assert seen
    assert all(each == within for each in seen)
    assert after == before
    assert read_settings() == outside
