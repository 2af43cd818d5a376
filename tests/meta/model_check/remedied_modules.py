"""Modules that a suggested fix is for, and what it makes of them."""

import copy

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from conformance.cases.inputs import floats, integers
from conformance.cases.networks import TiedNet

# Of the members themselves, and of time: tests/meta/model_check/test_check.py.
ELSEWHERE = {"same-module", "same-numbers", "allocator"}


SAMPLES = floats(7, 3)


SEQUENCES = floats(7, 5, 4)


TOKENS = integers(11, 7)


class Computing(nn.Module):
    """A linear layer, and what a function makes of its output."""

    def __init__(self, compute):
        super().__init__()
        self.linear = nn.Linear(3, 5)
        self.compute = compute

    def forward(self, x):
        return self.compute(self.linear(x))


def computing(compute):
    return lambda: Computing(compute)


def layers(*makes):
    return lambda: nn.Sequential(*[make() for make in makes])


def written(y):
    out = torch.zeros(7, 5, dtype=y.dtype)
    return out.add_(y)


def hooked():
    model = nn.Linear(3, 2)
    model.register_full_backward_hook(lambda module, into, out: (2 * into[0],))
    return nn.Sequential(nn.Tanh(), model)


class Doubled(torch.autograd.Function):
    """A function whose gradient is doubled, as the hook does it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Old(torch.autograd.Function):
    """A function of its own, as it was written before torch.func."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Cell(nn.Module):
    """A recurrent layer, written out."""

    def __init__(self):
        super().__init__()
        self.read, self.keep = nn.Linear(4, 3), nn.Linear(3, 3)

    def forward(self, x):
        state = torch.zeros_like(self.read(x[:, 0]))
        for step in range(x.shape[1]):
            state = (self.read(x[:, step]) + self.keep(state)).tanh()
        return state


class Written(nn.PReLU):
    """PReLU, written out."""

    def forward(self, x):
        return torch.where(x > 0, x, self.weight * x)


def parametrized():
    return nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))


BASE = parametrized()


def from_one():
    model = copy.deepcopy(BASE)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.2, 1)
    return model


def encoder(dropout):
    return nn.TransformerEncoderLayer(4, 2, 8, dropout=dropout, batch_first=True)


class FixedDtype(nn.Module):
    """It makes a tensor of torch's default dtype."""

    def __init__(self, like):
        super().__init__()
        self.linear, self.like = nn.Linear(3, 2), like

    def forward(self, x):
        return self.linear(x) @ (torch.ones(2, 2, dtype=x.dtype) if self.like else torch.ones(2, 2))


class Clamped(nn.Embedding):
    """Each index is one of its own."""

    def forward(self, index):
        return super().forward(index.clamp(0, self.num_embeddings - 1))


# Remedy, check, the model that it is for, its inputs, and what it becomes (or the check that is right for it).
TRIED = [
    (
        "batch-norm-momentum",
        "own_minibatch",
        layers(lambda: nn.Linear(3, 4), lambda: nn.BatchNorm1d(4, momentum=None)),
        SAMPLES,
        layers(lambda: nn.Linear(3, 4), lambda: nn.BatchNorm1d(4)),
    ),
    (
        "batch-norm-samples",
        "per_sample",
        layers(lambda: nn.Linear(3, 4), lambda: nn.BatchNorm1d(4)),
        SAMPLES,
        layers(lambda: nn.Linear(3, 4), lambda: nn.GroupNorm(2, 4)),
    ),
    ("dropout", "randomness", layers(lambda: nn.Linear(3, 4), nn.Dropout), SAMPLES, "own_minibatch"),
    ("dropout-transposed", "own_minibatch", lambda: encoder(0.3), SEQUENCES, lambda: encoder(0)),
    ("recurrent", "own_minibatch", lambda: nn.RNN(4, 3), SEQUENCES, Cell),
    ("recurrent", "own_minibatch", lambda: nn.LSTM(4, 3), SEQUENCES, "grad"),
    ("tied-on-meta", "meta_base", TiedNet, TOKENS, "own_minibatch"),
    ("checkpoint-reentrant", "own_minibatch", computing(Old.apply), SAMPLES, computing(Doubled.apply)),
    (
        "checkpoint-reentrant",
        "own_minibatch",
        computing(lambda y: checkpoint(torch.tanh, y, use_reentrant=True)),
        SAMPLES,
        computing(lambda y: checkpoint(torch.tanh, y, use_reentrant=False)),
    ),
    ("checkpoint", "backward", computing(lambda y: checkpoint(torch.tanh, y, use_reentrant=False)), SAMPLES, "grad"),
    (
        "control-flow",
        "own_minibatch",
        computing(lambda y: y if y.sum() > 0 else -y),
        SAMPLES,
        computing(lambda y: torch.where(y.sum() > 0, y, -y)),
    ),
    (
        "control-flow",
        "own_minibatch",
        computing(lambda y: y * y.sum().item()),
        SAMPLES,
        computing(lambda y: y * y.sum()),
    ),
    (
        "dynamic-shape",
        "own_minibatch",
        computing(lambda y: y[y > 0].sum()),
        SAMPLES,
        computing(lambda y: (y * (y > 0)).sum()),
    ),
    ("hooks", "backward", hooked, SAMPLES, computing(lambda y: Doubled.apply(y.tanh()))),
    ("padding-row", "backward", lambda: nn.Embedding(11, 3, padding_idx=0), integers(11, 7, 5), "grad"),
    (
        "index-out-of-range",
        "out_of_range",
        lambda: nn.Embedding(11, 3),
        TOKENS,
        lambda: Clamped(11, 3),
    ),
    ("in-place-shared", "own_minibatch", computing(written), SAMPLES, computing(lambda y: torch.zeros_like(y).add_(y))),
    ("attention-fast-path", "backward", lambda: encoder(0).eval(), SEQUENCES, lambda: encoder(0)),
    ("sparse-gradients", "backward", lambda: nn.Embedding(11, 3, sparse=True), TOKENS, lambda: nn.Embedding(11, 3)),
    ("different-classes", "own_minibatch", parametrized, SAMPLES, layers(parametrized)),
    ("different-classes", "own_minibatch", parametrized, SAMPLES, from_one),
    (
        "prelu",
        "per_sample",
        layers(lambda: nn.Linear(3, 5), nn.PReLU),
        SAMPLES,
        layers(lambda: nn.Linear(3, 5), Written),
    ),
    ("no-batching-rule", "own_minibatch", computing(F.rrelu), SAMPLES, computing(F.leaky_relu)),
    ("fixed-dtype", "own_minibatch", lambda: FixedDtype(like=False), SAMPLES, lambda: FixedDtype(like=True)),
]
