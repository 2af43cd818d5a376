"""Models that meet what torch does to everybody."""

import torch
from torch import nn

from conformance.cases.networks import TiedNet


def embedding():
    return nn.Sequential(nn.Embedding(17, 4), nn.Flatten(1), nn.Linear(20, 2))


def padded_embedding():
    return nn.Sequential(nn.Embedding(17, 4, padding_idx=0), nn.Flatten(1), nn.Linear(20, 2))


class LanguageModel(nn.Module):
    """Weights of the embedding and of the last layer are tied."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(17, 4), nn.Linear(4, 17, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        return self.head(self.embedding(tokens).cumsum(1))


def tied():
    return TiedNet()


def hooked():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    model[0].register_full_backward_hook(lambda module, into, out: (2 * into[0],))
    return nn.Sequential(nn.Tanh(), model)


class Choice(nn.Module):
    """Rows of a table of parameters, by index."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(17, 4))

    def forward(self, tokens):
        return self.table[tokens].sum(1)
