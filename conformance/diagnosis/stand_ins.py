"""Short forms of what tests ask with. They are copied into scripts that need torch alone, and compare less finely."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from conformance.checks.subject import Subject
from conformance.numerics.budget import max_error, rounding_unit
from conformance.numerics.plain_loop import LoopResult, run_members
from conformance.utils.module_state import state_of
from conformance.utils.pytree import describe_structure, is_inexact, leaves

# An error may be so many times the plain loop's own. It is eight times what the suite allows, which measures the loop's
# error anew where a comparison is in doubt: a script shows nothing rather than something that may be rounding.
FACTOR = 64


@contextmanager
def raises(expected: Any, match: str = "") -> Iterator[SimpleNamespace]:
    """Accept an exception of this type alone, whose message has `match` in it, a regex."""
    found = SimpleNamespace(value=None)
    try:
        yield found
    except expected as error:
        found.value = error
    assert found.value is not None, f"{expected} was due, and nothing was raised"
    assert re.search(match, str(found.value)), f"raised without naming {match!r}: {found.value}"


def loop(
    func: Callable[..., Any], models: Any, inputs: Any, *, plain: Callable[..., Any] | None = None, **_: Any
) -> LoopResult:
    """Return the result of the plain loop, whose error is measured once."""
    bare = plain or func
    values = run_members(func, models, inputs, None)
    tensors = [leaf for _, leaf in leaves([[state_of(model) for model in models], inputs, values], "")]
    has_doubles = any(leaf.dtype in (torch.float64, torch.complex128) for leaf in tensors if isinstance(leaf, Tensor))
    sample = run_members(bare, models, inputs, torch.float32) if has_doubles else values
    return LoopResult(values, run_members(bare, models, inputs, torch.float64), sample)


def assert_members_close(actual: Any, expected: LoopResult, what: str = "output") -> None:
    """Slice i of every tensor in `actual` is what member i's plain loop answers, up to rounding."""
    found, wanted = describe_structure(actual), describe_structure(expected.values[0])
    assert found == wanted, f"{what} has the structure {found}, the loop's {wanted}"
    by_member = [
        [[leaf for _, leaf in leaves(tree, "")] for tree in trees]
        for trees in (expected.values, expected.truth, expected.sample)
    ]
    for k, (name, stacked) in enumerate(leaves(actual, what)):
        values, truths, samples = ([each[k] for each in trees] for trees in by_member)
        shape, dtype = (len(values), *values[0].shape), values[0].dtype
        assert stacked.shape == shape, f"{name} has shape {tuple(stacked.shape)}, and has to have {shape}"
        assert stacked.dtype == dtype, f"{name} has dtype {stacked.dtype}, and has to have {dtype}"
        if not is_inexact(stacked):
            assert torch.equal(stacked, torch.stack(values)), f"{name} is {stacked}, by the loop {values}"
            continue
        pairs = zip(samples, truths, strict=True)
        lost = [max_error(sample, t) / (rounding_unit(t, sample.dtype) or math.inf) for sample, t in pairs]
        units = 1 + FACTOR * max((each for each in lost if each < math.inf), default=0)
        for i, (ours, truth) in enumerate(zip(stacked, truths, strict=True)):
            off, allowed = max_error(ours, truth), units * rounding_unit(truth, dtype)
            assert off <= allowed, (
                f"member {i}: {name} differs by {off:.3g} from the float64 loop, not by {allowed:.3g}"
            )


def assert_right(check: Callable[[Subject], None], implementation: Any, device: Any, _: Any, case: Any) -> None:
    """Make the check of a module; a refusal is raised as it is."""
    check(Subject(case, implementation, device))


def assert_as_listed(**_: Any) -> None:
    """Accept a refusal: which ones are listed is no matter of torch alone."""


def run_in_child(function: Callable[..., None], *args: Any) -> None:
    """Call the function: a script needs no child process."""
    function(*args)


def as_constant(tensor: Tensor) -> Tensor:
    """Return the constant itself."""
    return tensor


def finest_dtype(_: Any) -> torch.dtype:
    """Return the finest dtype of a CPU."""
    return torch.float64


def describe_error(error: BaseException) -> str:
    """Return ``Type: message``."""
    return f"{type(error).__name__}: {error}"


def text_of(value: Any, _: int = 0) -> str:
    """Return the value as text."""
    return str(value)
