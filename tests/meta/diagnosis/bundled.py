"""Code that tests copy into scripts, as the code of the suite's tests is copied."""

import math
import operator as op
import os.path
from collections import OrderedDict as Ordered
from contextlib import suppress
from enum import Enum
from functools import cached_property

import bundled_too
import pytest
import torch
from bundled_too import scale as other_scale

from conformance.numerics import plain_loop
from conformance.numerics.assertions import assert_members_close, assert_same, refuses

FACTOR = 2
with suppress(ValueError):
    LIMITS = dict.fromkeys("ab", FACTOR)


def scale(x):
    return x * FACTOR


class Color(Enum):
    RED = 1


class Base:
    """A class whose methods are reached by name."""

    size = FACTOR

    def __init__(self, x):
        self.x = x

    @property
    def scaled(self):
        return scale(self.x) + self.size

    def scale(self):
        return scale(self.x)

    def unasked(self):
        return self.gone()


class Derived(Base):
    @cached_property
    def twice(self):
        return self.scale() * 2


class OfTorch(torch.nn.Module):
    def forward(self, x):
        return scale(x)


def apply(func, x):
    return func(x)


def both(x, *, shift: float = math.pi - math.pi) -> float:
    from math import floor

    from bundled_too import FACTOR as THREE
    from bundled_too import scale

    inner = apply(lambda x, *rest: [scale(each) for each in (x, *rest) if each], x)
    return floor(inner[0] + bundled_too.scale(x) + other_scale(0) + op.add(0, shift)) + THREE


def of_every_kind(x):
    first = Derived(x)
    names = {key: value * 2 for key, value in Ordered(LIMITS).items()}
    return first.scaled, first.twice, os.path.sep, names, bundled_too.Shape(2, 3).area(), OfTorch()(x)


def refuse_zero():
    with pytest.raises(ZeroDivisionError, match="negative") as caught:
        pow(0, -1)
    return str(caught.value)


def marks():
    return pytest.mark


def uses_a_module():
    return bundled_too


def needs_numpy():
    return bundled_too.with_numpy()


def decorate(func):
    return func


@decorate
def test_sums_are_right(implementation, device, record_property, x, by):
    record_property("a", "b")
    total = implementation.vmap(lambda row: by(row).sum(), randomness="different")(x.to(device))
    assert_same(total, torch.stack([by(row).sum() for row in x]), "total")
    assert scale(1) == FACTOR


@decorate
def test_noise_is_refused(implementation):
    with refuses("never said"):
        implementation.vmap(torch.rand_like, randomness="error")(torch.zeros(3, 2))


@decorate
def test_members_are_close(implementation):
    models = [torch.nn.Linear(3, 2) for _ in range(3)]
    x = torch.ones(3, 3)
    expected = plain_loop.loop(lambda model, x: model(x).detach(), models, list(x))
    assert_members_close(torch.stack(expected.values) + 1, expected)
