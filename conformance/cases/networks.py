"""Networks to ensemble besides SimpleCNN."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.reference.simple_cnn import SimpleCNN


def colour_cnn() -> SimpleCNN:
    """Return a SimpleCNN with 2, 3 and 4 channels: with one channel, channels_last equals the default layout."""
    return SimpleCNN(channels=(2, 3, 4), image_size=8, hidden=11, classes=13)


class NormNet(nn.Module):
    """Linear, BatchNorm, ReLU, Dropout, Linear: floating and integer buffers, and different results in eval mode.

    Input (samples, 3), output (samples, 2). The statistics start with random values, so that members differ in them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 11)
        self.norm = nn.BatchNorm1d(11)
        self.dropout = nn.Dropout(0.5)
        self.fc2 = nn.Linear(11, 2)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)
        nn.init.normal_(self.norm.get_buffer("running_mean"))
        nn.init.uniform_(self.norm.get_buffer("running_var"), 0.5, 2.0)
        self.norm.get_buffer("num_batches_tracked").random_(100)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.dropout(F.relu(self.norm(self.fc1(x)))))


class TiedNet(nn.Module):
    """An embedding and an output layer with tied weights, as in language models, without a bias in the output layer.

    Input (samples,) of integers below 11, output (samples, 11).
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 3)
        self.body = nn.Linear(3, 3)
        self.head = nn.Linear(3, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(torch.tanh(self.body(self.embedding(tokens))))


class LayerNormMLP(nn.Module):
    """Linear, LayerNorm, GELU, Linear: a smooth function.

    Input (samples, 3), output (samples, 2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 11)
        self.norm = nn.LayerNorm(11)
        self.fc2 = nn.Linear(11, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.norm(self.fc1(x))))


class FrozenNet(nn.Module):
    """Linear, tanh, Linear with the first weight frozen: the other parameters of that layer get gradients.

    Input (samples, 3), output (samples, 2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 11)
        self.fc2 = nn.Linear(11, 2)
        self.fc1.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.tanh(self.fc1(x)))


class Assorted(nn.Module):
    """State of every kind: shapes, layouts, dtypes, frozen, nested, equal in all members, non-persistent, None."""

    def __init__(self) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.randn(()))
        self.empty = nn.Parameter(torch.empty(0, 3))
        self.square = nn.Parameter(torch.randn(3, 3))
        self.transposed = nn.Parameter(torch.randn(3, 2).t())
        self.frozen = nn.Parameter(torch.randn(2), requires_grad=False)
        self.float16 = nn.Parameter(torch.randn(3).to(torch.float16))
        self.brain16 = nn.Parameter(torch.randn(3).to(torch.bfloat16))
        self.float64 = nn.Parameter(torch.randn(3, dtype=torch.float64))
        self.complex64 = nn.Parameter(torch.randn(3, dtype=torch.complex64))
        self.register_parameter("absent", None)
        self.register_buffer("mean", torch.randn(3))
        self.register_buffer("ones", torch.ones(3))
        self.register_buffer("count", torch.randint(2**60, ()))
        self.register_buffer("codes", torch.randint(256, (3,), dtype=torch.uint8))
        self.register_buffer("mask", torch.randint(2, (23,), dtype=torch.bool))
        self.register_buffer("scratch", torch.randn(2), persistent=False)
        self.register_buffer("nothing", None)
        self.blocks = nn.ModuleDict({"inner": nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))})
        for tensor in (*self.blocks.parameters(), *self.blocks.buffers()):
            with torch.no_grad():
                tensor.copy_(torch.rand(tensor.shape) * 100)

    def forward(self, x: Tensor) -> Tensor:
        """Input (samples, 2), output (samples, 3)."""
        return self.blocks["inner"](x) * self.scalar + self.get_buffer("mean")
