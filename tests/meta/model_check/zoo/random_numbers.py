"""Models that draw random numbers."""

import random

import torch
from torch import nn
from torch.nn import functional as F


def dropout():
    return nn.Sequential(nn.Linear(3, 16), nn.Dropout(0.3), nn.Linear(16, 2))


def dropout_in_eval_mode():
    return dropout().eval()


def transformer_with_dropout():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)


def transformer_in_eval_mode():
    return transformer_with_dropout().eval()


class Autoencoder(nn.Module):
    """A variational autoencoder: a reparameterized draw by randn_like."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(3, 4), nn.Linear(2, 3)

    def forward(self, x):
        mean, scale = self.encoder(x).chunk(2, -1)
        return self.decoder(mean + torch.randn_like(mean) * F.softplus(scale)), mean, scale


class StochasticDepth(nn.Module):
    """A residual branch that is left out for some samples."""

    def __init__(self):
        super().__init__()
        self.branch = nn.Linear(3, 3)

    def forward(self, x):
        keep = torch.rand(len(x), 1, dtype=x.dtype, device=x.device) < 0.7
        return x + self.branch(x) * keep


class NormalLayer(nn.Module):
    """A draw whose mean and deviation are mapped: a Bayesian layer."""

    def __init__(self):
        super().__init__()
        self.mean, self.scale = nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(3, 2))

    def forward(self, x):
        return x @ torch.normal(self.mean, self.scale.exp())


class Gumbel(nn.Module):
    """A relaxed choice."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Linear(3, 4)

    def forward(self, x):
        return F.gumbel_softmax(self.logits(x), tau=1.0)


class Sampler(nn.Module):
    """Samples of classes: integers."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Linear(3, 4)

    def forward(self, x):
        return torch.distributions.Categorical(logits=self.logits(x)).sample()


class PythonNoise(nn.Module):
    """A number of Python's random: one number for all members of an ensemble."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        return self.linear(x) + random.random()  # noqa: S311 - the draw of a model
