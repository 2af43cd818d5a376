"""Smooth modules, whose gradients can be tested in every precision: small errors change them only a little."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.cases.case import TrainingCase
from conformance.cases.training_cases import LAYER_NORM

IMAGE = (2, 8, 8)


class SmoothCNN(nn.Module):
    """Convolution, GELU, mean pooling, strided convolution, tanh, Linear.

    Input (samples, 2, 8, 8), output (samples, 3). No layer has a single channel, so that channels_last differs from the
    default layout.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3)
        self.conv2 = nn.Conv2d(4, 2, 2, stride=2, bias=False)
        self.fc = nn.Linear(2, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = F.avg_pool2d(F.gelu(self.conv1(images)), 2)
        x = torch.tanh(self.conv2(x))
        return self.fc(x.flatten(1))


class SmoothNorm(nn.Module):
    """Convolution, BatchNorm in train mode, tanh, Linear: the norm writes its statistics.

    Input (samples, 2, 8, 8), output (samples, 3). A bias of the convolution would have the gradient zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 5, stride=3, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.fc = nn.Linear(12, 3)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias)
        nn.init.normal_(self.norm.get_buffer("running_mean"))
        nn.init.uniform_(self.norm.get_buffer("running_var"), 0.5, 2.0)
        self.norm.get_buffer("num_batches_tracked").random_(2**40)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.norm(self.conv(images))).flatten(1))


class ComplexNet(nn.Module):
    """Linear, tanh, Linear over complex numbers. Input (samples, 3), output (samples, 2)."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.into = nn.Parameter(torch.randn(11, 3, dtype=dtype) / 2)
        self.bias = nn.Parameter(torch.randn(11, dtype=dtype) / 2)
        self.out = nn.Parameter(torch.randn(2, 11, dtype=dtype) / 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(torch.tanh(F.linear(x, self.into, self.bias) / 4), self.out)


class LongSum(nn.Module):
    """A sum of 1031 positive terms: added one by one in bfloat16, it stops growing half way.

    Input (samples, 1031), output (samples, 3).
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(3, 1031) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.abs(), self.weight)


SMOOTH_CNN = TrainingCase("CNN", SmoothCNN, IMAGE, (3,), smooth=True)
SMOOTH_NORM = TrainingCase("BatchNorm", SmoothNorm, IMAGE, (3,), smooth=True)
COMPLEX: Mapping[torch.dtype, TrainingCase] = MappingProxyType(
    {
        dtype: TrainingCase("complex", partial(ComplexNet, dtype), (3,), (2,), smooth=True)
        for dtype in (torch.complex64, torch.complex128)
    }
)

# Cases that torch.func's transforms accept: they refuse modules that write their statistics.
PURE = (LAYER_NORM, SMOOTH_CNN)
ALL = (*PURE, SMOOTH_NORM)
LONG_SUM = TrainingCase("long", LongSum, (1031,), (3,), smooth=True)
# Large enough for several threads: torch uses one for fewer than 32768 elements.
WIDE = TrainingCase(
    "wide", lambda: nn.Sequential(nn.Linear(3, 131), nn.Tanh(), nn.Linear(131, 3)), (3,), (3,), smooth=True
)
