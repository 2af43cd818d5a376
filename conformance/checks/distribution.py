"""Random results of an ensemble in mode "different": are they distributed as those of the plain loop?

Each number is compared by its empirical distribution in both. By the inequality of Dvoretzky, Kiefer and Wolfowitz,
with Massart's constant, the empirical distribution of n independent draws is off by more than t with a probability
below 2 exp(-2 n t^2), whatever the distribution.
"""

import math
import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from conformance.checks.subject import Subject
from conformance.numerics.plain_loop import PlainLoopError
from conformance.numerics.statistics import FALSE_ALARM
from conformance.utils.pytree import is_inexact, leaves, tree_map
from conformance.utils.rng import seed
from conformance.utils.text import describe_error

Func = Callable[..., Any]
# Draws of each member: as many as there is time for, in seconds, from the least with which a difference can show.
MOST, LEAST, SECONDS = 300, 120, 2.0
# Draws of the loop that say what mean and spread each number has, so that all have the same weight.
PILOT = 60
# Seeds of the pilot, of the loop and of the ensemble, which share none.
SEEDS = (1_000, 2_000, 3_000)
# Rounding and the order of sums may move a number by this part of its spread.
ROUNDING = 1e-3
# Roundings by which the results of two orders of a sum may differ.
MANY_ROUNDINGS = 100
NUMBERS = 12


def assert_distributed_as_loop(subject: Subject, loop: Func, ensemble: Func) -> int:
    """Assert that random results have the same distribution in the ensemble as in the loop; return the draws compared.

    `loop(model, minibatch)` returns a tree of tensors, and `ensemble()` the same with the members in front, in mode
    "different".
    """

    def of_loop() -> list[Tensor]:
        return [flatten_numbers(loop(model, x)) for model, x in subject.pairs]

    def of_ensemble() -> list[Tensor]:
        return member_numbers(ensemble(), count)

    count = len(subject.models)
    with subject.fixed_seed():
        try:
            rounding = _rounding(loop(*subject.pairs[0]))
            pilot = _draw(subject, of_loop, SEEDS[0], PILOT)
            expected = _draw(subject, of_loop, SEEDS[1], MOST)
        except Exception as error:
            raise PlainLoopError(f"the plain loop fails: {describe_error(error)}") from error
        actual = _draw(subject, of_ensemble, SEEDS[2], MOST)
    for member in range(count):
        center, spread = _standard(pilot[:, member], rounding)
        found, wanted = (_statistics((each[:, member] - center) / spread) for each in (actual, expected))
        _assert_same_distribution(found, wanted, member, count)
    return min(len(actual), len(expected))


def _draw(subject: Subject, func: Callable[[], list[Tensor]], first: int, most: int) -> Tensor:
    """Return the results for several seeds: (seeds, members, numbers) in float64."""
    begun = time.monotonic()
    drawn: list[Tensor] = []
    for number in range(first, first + most):
        if len(drawn) >= LEAST and time.monotonic() - begun > SECONDS:
            break
        seed(subject.device, number)
        drawn.append(torch.stack(func()))
    return torch.stack(drawn)


def flatten_numbers(tree: Any) -> Tensor:
    """Return all floating numbers in a tree as one vector in float64; of a tree without any, its integers.

    Complex ones are two, NaN and infinity are 0, and the last number is the part that is finite.
    """
    tensors = [leaf.detach() for _, leaf in leaves(tree, "") if isinstance(leaf, Tensor) and leaf.numel()]
    found = [leaf for leaf in tensors if is_inexact(leaf)] or tensors
    if not found:
        raise PlainLoopError("there is no number in the results, so that no distribution can be compared")
    real = [torch.view_as_real(leaf.resolve_conj()) if leaf.is_complex() else leaf for leaf in found]
    numbers = torch.cat([leaf.to("cpu", torch.float64).flatten() for leaf in real])
    finite = numbers.isfinite()
    return torch.cat([torch.where(finite, numbers, 0.0), finite.double().mean().reshape(1)])


def member_numbers(out: Any, members: int) -> list[Tensor]:
    """Return the numbers of each member in a tree of tensors with the members in front."""
    return [flatten_numbers(tree_map(itemgetter(i), out)) for i in range(members)]


def _rounding(tree: Any) -> float:
    """Return the coarsest precision among the tensors in a tree, relative to their size."""
    return max((torch.finfo(leaf.dtype).eps for _, leaf in leaves(tree, "") if is_inexact(leaf)), default=0.0)


def _standard(pilot: Tensor, rounding: float) -> tuple[Tensor, Tensor]:
    """Return the mean and the spread of each number; the spread is so large that rounding is no part of it."""
    least = max(ROUNDING**2, MANY_ROUNDINGS * rounding / ROUNDING) * pilot.abs().amax().clamp(
        min=torch.finfo(pilot.dtype).tiny
    )
    return pilot.mean(0), pilot.std(0).clamp(min=least)


def _statistics(standard: Tensor) -> Tensor:
    """Return (statistics, draws): some of the numbers, and of all numbers the mean, a mixture and the energy."""
    size = standard.shape[1]
    chosen = torch.linspace(0, size - 1, min(size, NUMBERS)).round().long()
    signs = torch.arange(size, dtype=standard.dtype).square().cos().sign()
    rows = [standard.mean(1), (standard * signs).mean(1), standard.square().mean(1)]
    return torch.cat([standard[:, chosen].T, torch.stack(rows)])


def _assert_same_distribution(found: Tensor, wanted: Tensor, member: int, members: int) -> None:
    chance = FALSE_ALARM / (len(found) * members)
    allowed = sum(math.sqrt(math.log(4 / chance) / (2 * each.shape[1])) for each in (found, wanted))
    for ours, theirs in zip(found, wanted, strict=True):
        off = max(_excess(ours, theirs), _excess(theirs, ours))
        assert off <= allowed, (
            f'member {member}: in mode "different" the draws are not distributed as in the plain loop: mean '
            f"{float(ours.mean()):.3g} and variance {float(ours.var()):.3g} instead of {float(theirs.mean()):.3g} and "
            f"{float(theirs.var()):.3g}, in units of the loop's spread (the distributions differ by {off:.2f}, "
            f"chance explains {allowed:.2f})"
        )


def _excess(one: Tensor, other: Tensor) -> float:
    """Return by how much the distribution of one is above the other's, which may be shifted by rounding."""
    at, _ = one.sort()
    below = torch.searchsorted(other.sort().values, at + ROUNDING, right=True) / other.numel()
    return float((torch.searchsorted(at, at, right=True) / one.numel() - below).max())
