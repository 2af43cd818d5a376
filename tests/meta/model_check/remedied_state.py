"""Modules with state that is written or kept, which a suggested fix is for, and what it makes of them."""

import random

import torch
from remedied_modules import SAMPLES, computing
from torch import nn


class Writing(nn.Module):
    """A linear layer that writes to a tensor, `state`, in each call: `write(module, y)`."""

    def __init__(self, write, state, *, as_buffer):
        super().__init__()
        self.linear, self.write = nn.Linear(3, 5), write
        if as_buffer:
            self.register_buffer("state", state)
        else:
            self.state = state

    def forward(self, x):
        y = self.linear(x)
        self.write(self, y.detach())
        return y - self.state


def writing(write, as_buffer):
    return lambda: Writing(write, torch.zeros(5), as_buffer=as_buffer)


def averaging(module, y):
    module.state.mul_(0.9).add_(0.1 * y.mean(0))


def replacing(module, y):
    module.state = 0.9 * module.state + 0.1 * y.mean(0)


def counting(module, y):
    module.state += y.mean(0)


class Scaled(nn.Module):
    """A linear layer times a number of each member's own."""

    def __init__(self, keep):
        super().__init__()
        self.linear = nn.Linear(3, 5)
        keep(self)

    def forward(self, x):
        return self.linear(x) * self.scale


def as_number(module):
    module.scale = random.random()  # noqa: S311 - the generator that models draw from


def as_tensor(module):
    module.scale = torch.rand((), dtype=torch.float64)


def in_buffer(module):
    module.register_buffer("scale", torch.rand(()))


class Tabled(nn.Module):
    """A layer that keeps what its first call computed from a weight."""

    def __init__(self):
        super().__init__()
        self.linear, self.table = nn.Linear(3, 5), None

    def forward(self, x):
        if self.table is None:
            self.table = self.linear.weight.detach().sum(1)
        return self.linear(x) + self.table


def filled(y):
    out = torch.zeros(7, 5, dtype=y.dtype)
    out[:, 1:3] = y[:, 1:3]
    return out


def filled_of_member(y):
    out = y.new_zeros(7, 5)
    out[:, 1:3] = y[:, 1:3]
    return out


def scattered_into(y):
    return torch.zeros(7, 5, dtype=y.dtype).scatter_add_(1, torch.arange(5).expand(7, 5) % 3, y)


def scattered(y):
    return torch.zeros(7, 5, dtype=y.dtype).scatter_add(1, torch.arange(5).expand(7, 5) % 3, y)


def indexed_into(y):
    out = torch.zeros(7, 5, dtype=y.dtype)
    out[:, torch.tensor([0, 2])] = y[:, :2]
    return out


def added_into(y):
    return torch.zeros(7, 5, dtype=y.dtype).add_(y)


def row(name, check, bad, good):
    return name, check, bad, SAMPLES, good


STATE = [
    row("in-place-shared", "own_minibatch", computing(added_into), computing(lambda y: torch.zeros_like(y).add_(y))),
    row("in-place-shared", "own_minibatch", computing(filled), computing(filled_of_member)),
    row("in-place-shared", "own_minibatch", computing(indexed_into), computing(filled_of_member)),
    row("in-place-shared", "backward", computing(scattered_into), computing(scattered)),
    row("in-place-attribute", "own_minibatch", writing(averaging, as_buffer=False), writing(averaging, as_buffer=True)),
    row("in-place-attribute", "own_minibatch", writing(counting, as_buffer=False), writing(counting, as_buffer=True)),
    row("buffer-replaced", "buffers", writing(replacing, as_buffer=True), writing(averaging, as_buffer=True)),
    row("attributes", "own_minibatch", lambda: Scaled(as_number), lambda: Scaled(in_buffer)),
    row("attributes", "backward", lambda: Scaled(as_tensor), lambda: Scaled(in_buffer)),
    ("cache", "other_stack", Tabled, SAMPLES, lambda: nn.Linear(3, 5)),
]
