"""Models that torch, a copy or a stack can't take."""

import types

import torch
from own_models import NUMBERS, Held
from torch import nn
from torch.nn import functional as F

from conformance.utils.probing import without_warnings


class HiddenState(Held):
    """What differs between members is in a hook."""

    def __init__(self):
        super().__init__()
        factor, self.number = self.number, 0
        self.linear.register_forward_hook(lambda module, x, y: y * factor)


class Rounded(Held):
    def forward(self, x):
        return self.linear(x).round().detach()


class Scaled(Held):
    def forward(self, x):
        return self.linear(x) * self.number


class Shifted(Held):
    def __init__(self):
        super().__init__(lambda self: setattr(self, "shift", [torch.randn(2)]))

    def forward(self, x):
        return self.linear(x) + self.shift[0].to(x.dtype)


class Sparse(Held):
    def __init__(self):
        super().__init__(lambda self: self.register_buffer("mask", torch.eye(7).to_sparse()))

    def forward(self, x):
        return torch.sparse.mm(self.mask, self.linear(x))


class SparseWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(2, 3).to_sparse())

    def forward(self, x):
        return torch.sparse.mm(self.weight, x.T).T


def patched():
    model, factor = nn.Linear(3, 2), next(NUMBERS)
    model.forward = types.MethodType(lambda self, x: F.linear(x, self.weight, self.bias) * factor, model)
    return model


def uncopyable():
    return Held(lambda self: setattr(self, "rows", (row for row in ())))


def weight_norm():
    with without_warnings():  # likewise
        return nn.utils.weight_norm(nn.Linear(3, 2))


def half():
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)).bfloat16()


def double():
    return nn.Linear(3, 2).double()


def on_meta():
    return nn.Linear(3, 2, device="meta")


def quantized():
    with without_warnings():  # it is deprecated, and people have such models
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)), {nn.Linear}, dtype=torch.qint8)


def other_names():
    model = nn.Module()
    setattr(model, f"layer{next(NUMBERS)}", nn.Linear(3, 2))
    model.forward = types.MethodType(lambda self, x: next(self.children())(x), model)
    return model


def other_classes():
    return nn.Linear(3, 2) if next(NUMBERS) % 2 else nn.Sequential(nn.Linear(3, 2))
