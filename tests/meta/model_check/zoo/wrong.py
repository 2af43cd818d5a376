"""Models whose ensemble is wrong, or that can't be judged."""

import random

import torch
from torch import nn

SHARED = nn.Linear(3, 2)


def same_module():
    return SHARED


def same_numbers():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


class Attribute(nn.Module):
    """A plain tensor that differs between members: member 0's counts for all."""

    def __init__(self):
        super().__init__()
        self.linear, self.offset = nn.Linear(3, 2), torch.randn(2)

    def forward(self, x):
        return self.linear(x) + self.offset.to(x)


class Configuration(nn.Module):
    """A number that differs between members."""

    def __init__(self):
        super().__init__()
        self.linear, self.scale = nn.Linear(3, 2), random.random()  # noqa: S311 - the draw of a model

    def forward(self, x):
        return self.linear(x) * self.scale


class Remembering(nn.Module):
    """A mask that is computed once, from the first input."""

    def __init__(self):
        super().__init__()
        self.linear, self.mask = nn.Linear(3, 3), None

    def forward(self, x):
        if self.mask is None:
            self.mask = x > 0
        return self.linear(x) * self.mask


class Autocast(nn.Module):
    """A lower precision inside of forward."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.linear(x)


class NotRunning(nn.Module):
    """A model that does not run by itself."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x)


class Nothing(nn.Module):
    """A model without numbers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        return None


def on_meta():
    return nn.Linear(3, 2, device="meta")


class SparseWeight(nn.Module):
    """A weight in a sparse layout."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 2).to_sparse())

    def forward(self, x):
        return (self.weight.T @ x.T).T


def three_checkpoints():
    torch.manual_seed(next(SEEDS))
    return nn.Linear(3, 2)


SEEDS = iter([0, 1, 2] * 100)
