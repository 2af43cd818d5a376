"""Probability distributions of random operations: for each, statistics from 0 to 1 with a known mean."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# The tolerance for a value such as 1 / 0.7; the values of a distribution are farther apart.
VALUE_TOLERANCE = 1e-3
BoundedStatistic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Distribution:
    """A distribution: `draw(x)` draws a number for each element of `x`.

    `means` maps statistics of such numbers, which lie from 0 to 1, to their expected mean.
    """

    name: str
    draw: Callable[[Tensor], Tensor]
    means: Mapping[BoundedStatistic, float]

    def __str__(self) -> str:
        return self.name


def _continuous(name: str, draw: Callable[[Tensor], Tensor], cumulative: BoundedStatistic) -> Distribution:
    """Return a continuous distribution: its cumulative distribution function is uniform, with variance 1/12."""

    def spread(numbers: Tensor) -> Tensor:
        return (cumulative(numbers) - 0.5).square() * 4

    return Distribution(name, draw, {cumulative: 1 / 2, spread: 1 / 3})


def _discrete(name: str, draw: Callable[[Tensor], Tensor], probabilities: Mapping[float, float]) -> Distribution:
    """Return a discrete distribution, of which some values have known probabilities."""
    return Distribution(name, draw, {_equals(value): p for value, p in probabilities.items()})


def _equals(value: float) -> BoundedStatistic:
    return lambda numbers: ((numbers - value).abs() < VALUE_TOLERANCE).double()


def _normal(numbers: Tensor) -> Tensor:
    return torch.special.ndtr(numbers.double())


def _poisson(k: int, rate: float) -> float:
    return rate**k * math.exp(-rate) / math.factorial(k)


def _binomial(k: int, n: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def _full(x: Tensor, value: float) -> Tensor:
    """Return a tensor of parameters in the shape of `x`, the same for all members."""
    return torch.full(x.shape, float(value), device=x.device)


CONTINUOUS = [
    _continuous("rand", lambda x: torch.rand(x.shape, device=x.device), lambda it: it.double()),
    _continuous("rand_like", torch.rand_like, lambda it: it.double()),
    _continuous("uniform_", lambda x: x.clone().uniform_(-2, 5), lambda it: (it.double() + 2) / 7),
    _continuous("randn", lambda x: torch.randn(x.shape, device=x.device), _normal),
    _continuous("randn_like", torch.randn_like, _normal),
    _continuous("normal", lambda x: torch.normal(_full(x, 2), _full(x, 3)), lambda it: _normal((it - 2) / 3)),
    _continuous("normal_", lambda x: x.clone().normal_(2, 3), lambda it: _normal((it - 2) / 3)),
    _continuous("log_normal_", lambda x: x.clone().log_normal_(1, 0.5), lambda it: _normal((it.log() - 1) / 0.5)),
    _continuous("exponential_", lambda x: x.clone().exponential_(1.5), lambda it: 1 - torch.exp(-1.5 * it.double())),
    _continuous(
        "cauchy_", lambda x: x.clone().cauchy_(1, 2), lambda it: ((it.double() - 1) / 2).atan() / math.pi + 0.5
    ),
]
DISCRETE = [
    _discrete("randint", lambda x: torch.randint(10, x.shape, device=x.device), dict.fromkeys(range(10), 0.1)),
    _discrete("randint_like", lambda x: torch.randint_like(x, 2, 6), dict.fromkeys(range(2, 6), 0.25)),
    _discrete("random_", lambda x: x.clone().random_(10), dict.fromkeys(range(10), 0.1)),
    _discrete("bernoulli", lambda x: torch.bernoulli(_full(x, 0.3)), {0: 0.7, 1: 0.3}),
    _discrete("bernoulli_", lambda x: x.clone().bernoulli_(0.3), {0: 0.7, 1: 0.3}),
    _discrete("geometric_", lambda x: x.clone().geometric_(0.3), {k: 0.3 * 0.7 ** (k - 1) for k in range(1, 7)}),
    _discrete("poisson", lambda x: torch.poisson(_full(x, 4)), {k: _poisson(k, 4) for k in range(9)}),
    _discrete(
        "binomial", lambda x: torch.binomial(_full(x, 9), _full(x, 0.3)), {k: _binomial(k, 9, 0.3) for k in range(10)}
    ),
    _discrete(
        "multinomial",
        lambda x: torch.multinomial(torch.tensor([0.1, 0.2, 0.3, 0.4], device=x.device), len(x), replacement=True),
        {0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4},
    ),
    _discrete(
        "gumbel_softmax",
        lambda x: (F.gumbel_softmax(torch.stack([x, x + math.log(3)], -1))[..., 1] > 1 / 2).float(),
        {0: 0.25, 1: 0.75},
    ),
    _discrete("dropout", lambda x: F.dropout(x + 1, 0.3), {0: 0.3, 1 / 0.7: 0.7}),
    _discrete("dropout1d", lambda x: F.dropout1d(x.reshape(1, -1, 1) + 1, 0.3).flatten(), {0: 0.3, 1 / 0.7: 0.7}),
    _discrete("dropout2d", lambda x: F.dropout2d(x.reshape(1, -1, 1, 1) + 1, 0.3).flatten(), {0: 0.3, 1 / 0.7: 0.7}),
]
DISTRIBUTIONS = [*CONTINUOUS, *DISCRETE]
