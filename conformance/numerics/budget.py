"""The tolerance rule: the error against the float64 truth, in units of the error of the plain loop.

The truth is the plain loop in float64 on the CPU. The error of a tensor is the largest |actual - truth| in it, and its
unit is eps(dtype) * max|truth|: what one rounding of its largest element may cost. The loop's own error in those units
says how much rounding the computation suffers, and an ensemble may suffer

    budget = FACTOR * (the loop's error) + UNITS * eps(dtype) * max|truth|

- The loop's error is the worst over the members, tensor by tensor: one tiny tensor can be exact by luck, all of them
  rarely, and members run the same arithmetic on other numbers.
- In float64 the loop is the truth and has no error to measure. Rounding scales with eps, so the same loop in float32
  shows it: its error in float32's units is used as float64's.
- FACTOR. An ensemble sums the same terms in another order and in other blocks, so its error is another draw from the
  loop's distribution. tests/meta/numerics/derive_budget.py measures the largest (ensemble - UNITS) / loop over
  SimpleCNN, NormNet and TiedNet and 300 seeds each (torch 2.13.0, CPU): outputs 2.20 in float32, 1.99 in float64,
  3.65 in bfloat16, 2.75 in float16 (4,500 comparisons each), gradients 6.65 in float64 (25,500; 99 % stay below 1).
  FACTOR is the next power of two. Gradients in a coarser precision, float32 too, are outside of it for these modules:
  there rounding carries activations over the kink of a ReLU, and a gradient jumps (with AVX2 a float32 gradient was
  22,450 times its loop's error off, and with AVX512 none was in 300 seeds). Smooth modules have no kinks, and
  tests/meta/numerics/derive_parity.py measures those over 300 seeds: gradients and parameters after a step 1.4 in
  bfloat16 and float16, 1.5 under autocast to them, 2.4 in float32 and 1.8 in float64, where the loop's error is
  measured three times, since numbers of few bits are exact by luck too often (measured once, 5.7 in bfloat16 and 5.5
  in float32).
- Draws. In training an optimizer that divides a gradient by its size makes some element far more sensitive than all
  others, and what a single float32 loop loses there may be little by luck: over 150 seeds of 20 steps with torch
  2.13.0, one RMSprop in 150 was 19 times its loop's error off, while all others stayed below 8. So the error of such a
  loop is measured several times, one rounding of its inputs apart.
- Constants. The gradient in the bias of a norm is a sum of the weights of the differentiated sum: 168 numbers, the
  same in all members and in all draws, for BatchNorm3d of chapter `modules`. So the errors of its three features were
  all that there was, 0.16 units at most by luck, and an ensemble that adds them in another order with
  ATEN_CPU_CAPABILITY=default was 2.07 units off: 0.90 of the budget on a correct build. `as_constant` lets these
  numbers be one rounding away too, in each member another one, where float64's error is measured in float32. That
  costs no further loop, measures 3.1 units, and leaves a share of 0.08.
- Doubt. Deep modules amplify a rounding, and all elements of a tensor then share the few roundings that were
  amplified: one run is one draw, however many its elements are (per-sample gradients of a Transformer with AVX512:
  39.5 units, and the loop 8.0, 0.61 of the budget). More draws for every comparison would double the cost of the
  suite for a few of them. So a comparison that uses more than DOUBTFUL of its budget and less than HOPELESS budgets
  measures the loop's error again, up to four times, with all numbers one rounding away, and takes the worst. An error
  can't grow its own budget by this: the draws see the plain loop alone, and none is made if a model or an input has
  changed since the loop ran.
- UNITS. Where the loop is exact by luck the ensemble may still round its last operation once.
"""

import math
from collections.abc import Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from conformance.devices import profile as device_profile

FACTOR = 8.0

UNITS = 1.0

# The shares of the budget between which a comparison is in doubt: a correct build stays below 0.5, and luck with one
# draw has not made more than 2.4 (an RMSprop 19 times its loop's error off).
DOUBTFUL = 0.4
HOPELESS = 8.0


def max_error(actual: Tensor, truth: Tensor) -> float:
    """The largest |actual - truth|; infinite where one of the two is not finite and the other is not the same."""
    if not truth.numel():
        return 0.0
    actual = actual.detach().to("cpu", truth.dtype)
    truth = truth.detach()
    # Two passes over memory where the six below would find the same: large tensors spend their time there.
    largest = _largest(actual - truth)
    if math.isfinite(largest):
        return largest
    same = (actual == truth) | (actual.isnan() & truth.isnan())
    gap = (actual - truth).abs()
    return float(torch.where(same, 0.0, torch.where(gap.isfinite(), gap, math.inf)).max())


def rounding_unit(truth: Tensor, dtype: torch.dtype) -> float:
    """One rounding of the largest finite element of `truth` in `dtype`."""
    return _largest_finite(truth.detach()) * torch.finfo(dtype).eps


def _largest_finite(tensor: Tensor) -> float:
    if not tensor.numel():
        return 0.0
    largest = _largest(tensor)
    if math.isfinite(largest):
        return largest
    size = tensor.abs()
    size = size[size.isfinite()]
    return float(size.max()) if size.numel() else 0.0


def _largest(tensor: Tensor) -> float:
    """Return the largest absolute value; NaN or infinity if there is one."""
    if tensor.is_complex():
        return float(tensor.abs().max())
    low, high = tensor.aminmax()
    return max(float(high), -float(low))


@dataclass(frozen=True)
class Budget:
    """The error that one member's tensor may have: `allowed`, made of the loop's error and the unit.

    `factor`: what a device profile multiplies it by, for a reason that it gives.
    """

    loop: float
    unit: float
    factor: float = 1.0

    @property
    def allowed(self) -> float:
        return self.factor * (FACTOR * self.loop + UNITS * self.unit)

    def share(self, off: float) -> float:
        """The share of the budget that this error uses; a billion stands for more."""
        return min(off / self.allowed if self.allowed else math.inf if off else 0.0, 1e9)


def compute_budgets(samples: Sequence[Tensor], truths: Sequence[Tensor], dtype: torch.dtype) -> list[Budget]:
    """For one tensor of each member: its budget in `dtype`, from the loop's worst error over the members."""
    measured = []
    for sample, truth in zip(samples, truths, strict=True):
        size = _largest_finite(truth.detach())
        units = (size * torch.finfo(each).eps for each in (sample.dtype, dtype))
        measured.append((max_error(sample, truth), *units))
    worst = max((own / sample_unit for own, sample_unit, _ in measured if sample_unit and own < math.inf), default=0.0)
    scale = torch.finfo(dtype).eps / torch.finfo(samples[0].dtype).eps
    factor = device_profile.factor(dtype)
    return [
        Budget(max(worst * own_unit, own * scale if own < math.inf else 0.0), own_unit, factor)
        for own, _, own_unit in measured
    ]


def is_in_doubt(offs: Sequence[float], budgets: Sequence[Budget]) -> bool:
    """True if the loop's error, measured more often, may show that errors near or beyond their budgets are rounding."""
    return DOUBTFUL < max(budget.share(off) for off, budget in zip(offs, budgets, strict=True)) < HOPELESS


_shares: ContextVar[list[float] | None] = ContextVar("shares", default=None)


@contextmanager
def recorded_shares() -> Any:
    """Collect the share of its budget that each comparison within uses, as a list that grows."""
    shares: list[float] = []
    token = _shares.set(shares)
    try:
        yield shares
    finally:
        _shares.reset(token)


def record_share(off: float, budget: Budget) -> None:
    """One comparison was off by this much of its budget; a share above 1 failed, and a billion stands for more."""
    shares = _shares.get()
    if shares is not None:
        shares.append(budget.share(off))
