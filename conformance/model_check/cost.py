"""The cost of an ensemble and of a loop over its members: time by the number of members, and peak memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from conformance.checks.calls import call_model, mapped_dims
from conformance.checks.outputs import member_forward
from conformance.checks.subject import Subject
from conformance.checks.values import output_tensors
from conformance.devices import memory
from conformance.utils import timing
from conformance.utils.pytree import is_inexact

SIZES = (1, 2, 5, 10, 20, 50)
# Seconds for the requested number of members, at most for the rounds that an interval needs, and for all other numbers.
SECONDS, LONGEST, SPARE_SECONDS = 2.0, 6.0, 1.0
# The requested number of members is measured until the ends of the interval are this factor apart, the others until
# they are NARROW_ENOUGH; or for so many rounds.
NARROW, NARROW_ENOUGH = 1.1, 1.25
MOST, MOST_OF_OTHERS = 49, 19
Calls = Mapping[str, Callable[[], Any]]


def time_by_members(
    asked: Calls, calls_for: Callable[[int], Calls], members: int, clock: timing.Clock
) -> list[dict[str, Any]]:
    """Time "loop" and "vmap" with the requested number of members, then with 1, 2, 5 and so on.

    `asked` are both calls for `members`, and `calls_for(n)` makes them for `n` members. Return a row for each number
    that there is time for: the seconds of both calls, the ratio of the loop's time to vmap's with its interval, and
    the `speed` of vmap as far as the interval tells: "faster", "slower", "as fast" or "too noisy".
    """
    compared = timing.compare_in_turn(
        asked["loop"], asked["vmap"], clock, narrow=NARROW, most=MOST, seconds=SECONDS, longest=LONGEST
    )
    rows = [_row(members, compared)]
    per_member = (compared.first.median + compared.second.median) / members
    others = [size for size in SIZES if size != members]
    end = clock() + SPARE_SECONDS
    for i, n in enumerate(others):
        # The rounds, one to warm up, and one for making the members.
        if (timing.FEWEST + 2) * per_member * n > end - clock():
            break
        calls = calls_for(n)
        share = max(0.0, end - clock()) / (len(others) - i)
        compared = timing.compare_in_turn(
            calls["loop"],
            calls["vmap"],
            clock,
            narrow=NARROW_ENOUGH,
            most=MOST_OF_OTHERS,
            seconds=share,
            longest=2 * share,
        )
        rows.append(_row(n, compared))
    return sorted(rows, key=lambda row: row["members"])


def _row(members: int, compared: timing.Comparison) -> dict[str, Any]:
    return {
        "members": members,
        "speed": judge_speed(compared),
        "ratio": compared.ratio,
        "low": compared.low,
        "high": compared.high,
        "rounds": compared.rounds,
        "loop": vars(compared.first),
        "vmap": vars(compared.second),
    }


def judge_speed(compared: timing.Comparison) -> str:
    """Return "faster", "slower", "as fast", or "too noisy" if the interval does not tell."""
    if compared.rounds < timing.FEWEST:
        return "too noisy"
    if compared.low > 1:
        return "faster"
    if compared.high < 1:
        return "slower"
    return "as fast" if compared.low > 1 / NARROW and compared.high < NARROW else "too noisy"


def break_even(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the smallest measured number of members from which on vmap is certainly faster, or None."""
    others = [row["members"] for row in rows if row["speed"] != "faster"]
    faster = [row["members"] for row in rows if row["members"] > max(others, default=0)]
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
