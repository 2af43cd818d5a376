"""Modules that a check of a model has to ask in more than one way."""

import torch
from torch import nn
from torch.nn import functional as F

from conformance.faults.base.patch import is_mapped


class Head(nn.Module):
    """A layer with noise or whatever else `make` does to its output."""

    def __init__(self, make, inputs=3):
        super().__init__()
        self.linear, self.make = nn.Linear(inputs, 4), make

    def forward(self, x):
        return self.make(self.linear(x))


class Encoder(nn.Module):
    """A transformer whose dropout draws in another order inside vmap."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.5, batch_first=True)

    def forward(self, x):
        return self.layer(x)


class Recurrent(nn.Module):
    """A layer that vmap refuses in train form."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True)

    def forward(self, x):
        return self.layer(x)[0]


class Words(nn.Module):
    """An embedding, tied to the last layer if `tied`; vmap multiplies its gradient if `wrong`."""

    def __init__(self, padding_idx=None, *, tied=False, wrong=False):
        super().__init__()
        self.embedding, self.out = nn.Embedding(10, 4, padding_idx=padding_idx), nn.Linear(4, 10, bias=False)
        self.wrong = wrong
        if tied:
            self.out.weight = self.embedding.weight

    def forward(self, x):
        y = self.out(self.embedding(x))
        return y + (y - y.detach()) if self.wrong and is_mapped(y) else y


class Classes(nn.Module):
    """The rows of a table by one_hot."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(10, 4))

    def forward(self, x):
        return F.one_hot(x, 10).to(self.table.dtype) @ self.table


class Average(nn.Module):
    """A buffer that forward replaces; vmap adds to it if `wrong`."""

    def __init__(self, *, wrong=False):
        super().__init__()
        self.linear, self.wrong = nn.Linear(3, 4), wrong
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x):
        y = self.linear(x)
        shift = 1.0 if self.wrong and is_mapped(y) else 0.0
        self.mean = 0.9 * self.mean + 0.1 * y.detach().mean(0) + shift
        return y


class Hooked(nn.Module):
    """A layer with a full backward hook that doubles the gradient."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.linear.register_full_backward_hook(lambda module, given, _: tuple(2 * each for each in given))

    def forward(self, x):
        return self.linear(x.tanh())


class WritesToLeaf(nn.Module):
    """A module that autograd refuses: it writes to a parameter."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self, x):
        return x * self.weight.add_(0)


class Untrained(nn.Module):
    """A module without a gradient for its ensemble alone."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x):
        return Refusing.apply(self.linear(x)) if is_mapped(x) else self.linear(x)


class Refusing(torch.autograd.Function):
    """A function that is refused in backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        raise NotImplementedError("vmap: no backward")


def noise(y):
    return y + torch.randn_like(y)


def normal(y):
    return torch.normal(y, 1.0)


def mapped_noise(y):
    """More noise in the ensemble than alone."""
    return torch.normal(y, 3.0 if is_mapped(y) else 1.0)


def other_order(y):
    """Noise that is drawn in another order in the ensemble."""
    return y + (torch.randn_like(y).flip(0) if is_mapped(y) else torch.randn_like(y))
