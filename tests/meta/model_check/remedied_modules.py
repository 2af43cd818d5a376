"""Modules of torch that a suggested fix is for, and what it makes of them."""

import copy
import warnings

import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.inputs import floats, integers
from conformance.cases.networks import TiedNet
from conformance.utils.probing import without_warnings

SAMPLES = floats(7, 3)


SEQUENCES = floats(7, 5, 4)


TOKENS = integers(11, 7)


LENGTHS = integers(6, 7, low=1)


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


def old_weight_norm():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it is deprecated, and people have it
        return nn.utils.weight_norm(nn.Linear(3, 2))


def from_one():
    model = copy.deepcopy(BASE)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.2, 1)
    return model


def scripted():
    with without_warnings():  # torch has deprecated it
        return torch.jit.script(nn.Linear(3, 2))


def encoder(dropout):
    return nn.TransformerEncoderLayer(4, 2, 8, dropout=dropout, batch_first=True)


def local_class():
    class Local(Computing):
        pass

    return Local(torch.tanh)


def spectral():
    return nn.utils.parametrizations.spectral_norm(nn.Linear(3, 5))


class Spectral(nn.Linear):
    """A linear layer whose weight is divided by its largest singular value."""

    def __init__(self):
        super().__init__(3, 5)

    def forward(self, x):
        return F.linear(x, self.weight / torch.linalg.matrix_norm(self.weight, 2), self.bias)


class Masked(nn.Embedding):
    """An embedding that gives its padding index zeros, and no gradient."""

    def __init__(self):
        super().__init__(11, 3)

    def forward(self, index):
        return super().forward(index) * (index != 0).unsqueeze(-1)


class Packed(nn.Module):
    """A recurrent layer for sequences of different lengths."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(4, 3, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.layer(packed)[1][0]


class Padded(Cell):
    """The same with all steps, and the state kept where a sequence has ended."""

    def forward(self, x, lengths):
        state = torch.zeros_like(self.read(x[:, 0]))
        for step in range(x.shape[1]):
            new = (self.read(x[:, step]) + self.keep(state)).tanh()
            state = torch.where(step < lengths.unsqueeze(1), new, state)
        return state


class Scaled(nn.Embedding):
    """An embedding whose rows have at most norm 1."""

    def __init__(self):
        super().__init__(11, 3)

    def forward(self, index):
        return F.embedding(index, self.weight * (1 / self.weight.norm(dim=1, keepdim=True)).clamp(max=1))


class Clamped(nn.Embedding):
    """Each index is one of its own."""

    def forward(self, index):
        return super().forward(index.clamp(0, self.num_embeddings - 1))


# Remedy, check, the model that it is for, its inputs, and what it becomes (or the check that is right for it).
MODULES = [
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
    ("recurrent", "own_minibatch", lambda: nn.RNN(4, 3), SEQUENCES, Cell),
    ("recurrent", "own_minibatch", lambda: nn.LSTM(4, 3), SEQUENCES, "grad"),
    ("recurrent", "per_sample", lambda: nn.LSTM(4, 3, batch_first=True), SEQUENCES, "grad"),
    ("packed-sequence", "own_minibatch", Packed, (SEQUENCES, LENGTHS), Padded),
    ("packed-sequence", "single", Packed, (SEQUENCES, LENGTHS), Padded),
    ("max-norm", "per_sample", lambda: nn.Embedding(11, 3, max_norm=1.0), TOKENS, Scaled),
    ("tied-on-meta", "meta_base", TiedNet, TOKENS, "own_minibatch"),
    ("padding-row", "backward", lambda: nn.Embedding(11, 3, padding_idx=0), integers(11, 7, 5), "grad"),
    ("padding-row", "backward", lambda: nn.Embedding(11, 3, padding_idx=0), integers(11, 7, 5), Masked),
    ("index-out-of-range", "out_of_range", lambda: nn.Embedding(11, 3), TOKENS, lambda: Clamped(11, 3)),
    ("attention-fast-path", "backward", lambda: encoder(0).eval(), SEQUENCES, lambda: encoder(0)),
    ("sparse-gradients", "backward", lambda: nn.Embedding(11, 3, sparse=True), TOKENS, lambda: nn.Embedding(11, 3)),
    ("sparse-gradients", "grad", lambda: nn.Embedding(11, 3, sparse=True), TOKENS, lambda: nn.Embedding(11, 3)),
    ("parametrized-class", "own_minibatch", parametrized, SAMPLES, layers(parametrized)),
    ("parametrized-class", "own_minibatch", parametrized, SAMPLES, from_one),
    ("data-parallel", "own_minibatch", lambda: nn.DataParallel(nn.Linear(3, 2)), SAMPLES, lambda: nn.Linear(3, 2)),
    ("scripted", "own_minibatch", scripted, SAMPLES, lambda: nn.Linear(3, 2)),
    ("local-class", "own_minibatch", local_class, SAMPLES, lambda: Computing(torch.tanh)),
    (
        "prelu",
        "per_sample",
        layers(lambda: nn.Linear(3, 5), nn.PReLU),
        SAMPLES,
        layers(lambda: nn.Linear(3, 5), Written),
    ),
    ("spectral-norm", "own_minibatch", layers(lambda: nn.utils.spectral_norm(nn.Linear(3, 5))), SAMPLES, Spectral),
    ("spectral-norm", "backward", layers(spectral), SAMPLES, Spectral),
    ("spectral-norm", "own_minibatch", layers(spectral), SAMPLES, lambda: nn.Sequential(spectral()).eval()),
    (
        "weight-norm-old",
        "conversion",
        layers(old_weight_norm),
        SAMPLES,
        layers(parametrized),
    ),
]
