"""Models that vmap refuses, wholly or for one use."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class Recurrent(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, kind):
        super().__init__()
        self.layer = kind(3, 4, batch_first=True)

    def forward(self, x):
        return self.layer(x)[0][:, -1]


def lstm():
    return Recurrent(nn.LSTM)


def gru():
    return Recurrent(nn.GRU)


class Computing(nn.Module):
    """A linear layer, and what `compute` makes of its output."""

    def __init__(self, compute):
        super().__init__()
        self.linear, self.compute = nn.Linear(3, 5), compute

    def forward(self, x):
        return self.compute(self.linear(x))


def control_flow():
    return Computing(lambda y: y if y.sum() > 0 else -y)


def item():
    return Computing(lambda y: y * y.mean().item())


def boolean_mask():
    return Computing(lambda y: y[y > 0].sum())


def routing():
    return Computing(lambda y: torch.stack([row[: int(row.argmax()) + 1].sum() for row in y]))


def shared_target():
    return Computing(lambda y: torch.zeros(7, 5, dtype=y.dtype).add_(y))


def own_target():
    return Computing(lambda y: y.new_zeros(7, 5).add_(y))


def scatter_into_zeros():
    return Computing(
        lambda y: torch.zeros(7, 5, dtype=y.dtype).scatter_add_(1, torch.zeros(7, 5, dtype=torch.int64), y)
    )


def momentum_of_none():
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5, momentum=None))


class Reentrant(nn.Module):
    """A checkpointed block."""

    def __init__(self, use_reentrant):
        super().__init__()
        self.block, self.use_reentrant = nn.Sequential(nn.Linear(3, 5), nn.Tanh()), use_reentrant

    def forward(self, x):
        return checkpoint(self.block, x, use_reentrant=self.use_reentrant)


def checkpointed():
    return Reentrant(use_reentrant=False)


def checkpointed_reentrant():
    return Reentrant(use_reentrant=True)


class OldFunction(torch.autograd.Function):
    """A function without setup_context."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def old_function():
    return Computing(OldFunction.apply)


def spectral_norm():
    return nn.utils.spectral_norm(nn.Linear(3, 5))


class Energy(nn.Module):
    """A force: the derivative of an energy, taken inside forward."""

    def __init__(self):
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)[0]


class FunctionalEnergy(Energy):
    """The same by torch.func.grad."""

    def forward(self, x):
        return torch.func.grad(lambda x: self.energy(x).sum())(x)


class Counter(nn.Module):
    """A number of calls that is a buffer, written in place."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.linear(x)


def labels():
    return Computing(lambda y: y.argmax(-1))


def prelu():
    return nn.Sequential(nn.Linear(3, 5), nn.PReLU(), nn.Linear(5, 2))


def rrelu():
    return Computing(lambda y: F.rrelu(y, training=True))
