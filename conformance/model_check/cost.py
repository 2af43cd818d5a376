"""The cost of an ensemble and of a loop over its members: time by the number of members, and peak memory."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from conformance.checks.calls import call_model, mapped_dims
from conformance.checks.outputs import member_forward
from conformance.checks.subject import Subject, output_tensors
from conformance.devices import memory
from conformance.utils import timing
from conformance.utils.pytree import is_inexact

SIZES = (1, 2, 5, 10, 20, 50)
# Seconds for the numbers of members other than the requested one.
SPARE_SECONDS = 1.5
Calls = Mapping[str, Callable[[], Any]]


def time_by_members(
    make_calls: Callable[[Subject], Calls], subject: Callable[[int], Subject], members: int
) -> list[dict[str, Any]]:
    """Time "loop" and "vmap" with the requested number of members, then with 1, 2, 5 and so on.

    `make_calls(subject(n))` returns both calls for `n` members. Return a row for each number that there is time for:
    the median seconds, the quartiles, and the ratio of the loop's time to vmap's.
    """
    begun = time.monotonic()
    rows: list[dict[str, Any]] = []
    for n in (members, *(size for size in SIZES if size != members)):
        if rows and time.monotonic() - begun > SPARE_SECONDS:
            break
        taken = timing.time_in_turn(make_calls(subject(n)))
        ratio = taken["loop"].median / taken["vmap"].median
        rows.append({"members": n, "ratio": ratio} | {name: vars(each) for name, each in taken.items()})
    return sorted(rows, key=lambda row: row["members"])


def break_even(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the smallest measured number of members from which on vmap is faster, or None."""
    slower = [row["members"] for row in rows if row["ratio"] <= 1]
    faster = [row["members"] for row in rows if row["members"] > max(slower, default=0)]
    return min(faster, default=None)


def peak_memory(calls: Calls, device: torch.device) -> dict[str, int]:
    """Return the peak memory of each call, in bytes."""
    return {name: memory.measure_peak_memory(call, device) for name, call in calls.items()}


def forward_calls(subject: Subject) -> Calls:
    """Return the calls of forward, without gradients."""
    _, together = _ensemble_call(subject)

    def loop() -> Any:
        return [call_model(model, x) for model, x in subject.pairs]

    return {"loop": torch.no_grad()(loop), "vmap": torch.no_grad()(together)}


def backward_calls(subject: Subject) -> Calls:
    """Return the calls of forward and backward, for the gradients of the parameters."""
    stacked, together = _ensemble_call(subject)
    own = [[each for each in model.parameters() if each.requires_grad] for model in subject.models]

    def loop() -> Any:
        return [
            torch.autograd.grad(sum_outputs(call_model(model, x)), learning, allow_unused=True)
            for (model, x), learning in zip(subject.pairs, own, strict=True)
        ]

    return {"loop": loop, "vmap": lambda: torch.autograd.grad(sum_outputs(together()), stacked, allow_unused=True)}


def _ensemble_call(subject: Subject) -> tuple[list[Tensor], Callable[[], Any]]:
    """Return the trainable parameters of the ensemble, and its call on minibatches stacked beforehand."""
    ensemble, x = subject.ensemble(), subject.stacked_minibatches
    randomness = "different" if subject.is_random else "error"
    mapped = subject.implementation.vmap(
        member_forward(ensemble), in_dims=(0, 0, mapped_dims(x)), randomness=randomness
    )
    return list(ensemble.trainable.values()), lambda: mapped(ensemble.params, ensemble.buffers, x)


def sum_outputs(output: Any) -> Tensor:
    """Return a scalar to differentiate: the sum of all numbers in an output."""
    return torch.stack(
        [leaf.real.sum() if leaf.is_complex() else leaf.sum() for leaf in output_tensors(output) if is_inexact(leaf)]
    ).sum()
