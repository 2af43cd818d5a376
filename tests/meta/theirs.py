"""Models as people write them, for `conformance check`."""

import itertools
import random

import numpy as np
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


TRAINED = [nn.Linear(3, 2) for _ in range(4)]
MODULES = nn.ModuleList(TRAINED[:2])
STRANGE = [nn.Linear(3, 2), 3]
NONE: list[nn.Module] = []
EDGES = torch.tensor([[0, 1, 2], [1, 2, 0]])


def trained():
    return TRAINED


def sized(features, *, out=2):
    return nn.Linear(features, out)


MADE = iter([nn.Linear(3, 2)])


def forgetful():
    return next(MADE, None)


def on_a_gpu():
    raise RuntimeError("No CUDA GPUs are available")


def graph():
    return {"x": torch.randn(3, 4), "edges": EDGES}


def fixed_inputs():
    return (EDGES,)


def kinds():
    return torch.randn(7, 3), "first", 2


COUNTED = itertools.count()


def uneven():
    return (torch.randn(7, 3), *[1] * next(COUNTED))


def listed():
    return [torch.randn(7, 3)]


def underscored():
    return {"_x": torch.randn(7, 3)}


def drawn_by_numpy():
    return torch.from_numpy(np.random.randn(7, 3))  # noqa: NPY002 - the old generator is what is tested


class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x, edges):
        y = self.layer(x)
        return {"nodes": y.index_add(0, edges[1], y[edges[0]]), "name": "graph", "none": None}


class Drawing(nn.Module):
    """It draws from generators other than torch's."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("last", torch.zeros(()))

    def forward(self, x):
        self.last.fill_(random.random() + np.random.rand())  # noqa: NPY002, S311 - as people do
        return self.layer(x) * self.last


class Unlucky(nn.Module):
    """A module with an attribute that raises."""

    @property
    def broken(self):
        raise SystemExit(1)


UNLUCKY = Unlucky()


class Uncopied(nn.Linear):
    def __deepcopy__(self, memo):
        raise RuntimeError("no copies")


UNCOPIED = Uncopied(3, 2)


class Lacking:
    """An implementation that no torch has."""

    name = "lacking"

    def combine(self, models):
        raise NotImplementedError

    def vmap(self, func, *args, **options):
        raise NotImplementedError

    def unavailable(self):
        return "this torch lacks it"
