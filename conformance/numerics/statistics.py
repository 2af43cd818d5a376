"""The largest deviation of a mean of random numbers that chance explains.

Numbers between 0 and 1 are judged by Hoeffding's inequality (1963), which holds for every distribution of them and
every sample size: the mean of n independent ones is off by more than t with a probability below 2 exp(-2 n t^2).
"""

import math
from dataclasses import dataclass

from torch import Tensor

# That one of all comparisons of a run fails on a correct torch, with any seed.
FALSE_ALARM = 1e-9
# More comparisons than a run makes, so that each gets its share of the false alarms.
COMPARISONS = 10_000


@dataclass(frozen=True)
class Mean:
    """The mean of `n` numbers: how far it is off what it should be, and how far it may be."""

    off: float
    allowed: float


def measure_mean(numbers: Tensor, expected: float) -> Mean:
    """`numbers` are independent, of any shape, from 0 to 1, and `expected` is their mean by the textbook."""
    if bool((numbers < 0).any() or (numbers > 1).any()):
        raise ValueError("the inequality is about numbers from 0 to 1")
    allowed = math.sqrt(math.log(2 * COMPARISONS / FALSE_ALARM) / (2 * numbers.numel()))
    return Mean(abs(float(numbers.double().mean()) - expected), allowed)
