"""Models as people write them, for `conformance check`."""

import torch
from torch import nn
from torch.nn import functional as F

ONE = nn.Linear(3, 2)


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2))


def one():
    return ONE


def seeded():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def embedding():
    return nn.Sequential(nn.Embedding(11, 3, padding_idx=0), nn.Linear(3, 2))


def inputs():
    return torch.randn(7, 3), torch.arange(7), 2


def no_tuple():
    return torch.randn(7, 3)


def failing():
    raise RuntimeError("no weights")


def no_module():
    return 3


class Branch(nn.Module):
    def __init__(this):  # noqa: N805 - nobody has to call it self
        super().__init__()
        this.linear = nn.Linear(3, 2)

    def forward(this, x):  # noqa: N805
        y = this.linear(x)
        return y if y.sum() > 0 else -y


def branch():
    return nn.Sequential(nn.Tanh(), Branch())


class Fast(nn.Module):
    """Its attention has no derivative."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()

    def forward(self, x):
        return self.layer(x)


class Rectified(nn.Module):
    def forward(self, x):
        return F.rrelu(x, training=True)


class Three(nn.Module):
    """It takes what `inputs` makes."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self, x, index, factor):
        return (x * self.weight * factor)[index]


def lazy():
    return nn.LazyLinear(2)


def dropped():
    return nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))


def hooked():
    model = nn.Linear(3, 2)
    model.register_full_backward_hook(lambda module, into, out: None)
    return model


class Lacking:
    """An implementation that no torch has."""

    name = "lacking"

    def combine(self, models):
        raise NotImplementedError

    def vmap(self, func, *args, **options):
        raise NotImplementedError

    def unavailable(self):
        return "this torch lacks it"
