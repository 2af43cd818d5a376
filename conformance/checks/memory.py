"""Modules that remember their calls beside their parameters and buffers: a counter, a running mean in an attribute."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.calls import split_arguments
from conformance.checks.subject import Subject
from conformance.checks.values import output_tensors
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.module_state import state_of
from conformance.utils.text import describe_error

RTOL = 1e-5  # between two calls of the plain module, which may sum in another order


def refuse_memory(subject: Subject) -> None:
    """Raise PlainLoopError if the plain module gives another result at its second call with the same state."""
    model, x = (subject.select([0]) if subject.copied else subject).pairs[0]
    try:
        with subject.fixed_seed():
            once = call_by_itself(model, x)
        with subject.fixed_seed():
            again = call_by_itself(model, x)
    except Exception as error:
        raise PlainLoopError(f"the plain loop fails: {describe_error(error)}") from error
    if not are_same(once, again):
        raise PlainLoopError("the plain module gives another result at its second call")


def call_by_itself(model: nn.Module, x: Any) -> tuple[Tensor, ...]:
    """Return the output tensors of a module, whose parameters and buffers stay as they are."""
    state = {name: tensor.detach().clone() for name, tensor in state_of(model).items()}
    return output_tensors(torch.func.functional_call(model, state, *split_arguments(x)))


def are_same(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    """Return whether two calls give the same, except for the order of sums."""
    return len(one) == len(other) and all(
        torch.allclose(*pair, rtol=RTOL, equal_nan=True) for pair in zip(one, other, strict=True)
    )


@contextmanager
def unless_it_remembers(subject: Subject) -> Iterator[None]:
    """Let an AssertionError of the body pass, unless the plain module remembers its calls: then PlainLoopError."""
    try:
        yield
    except AssertionError:
        refuse_memory(subject)
        raise
