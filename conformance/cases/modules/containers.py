"""Cases of containers, each in a typical user-defined module."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase

ROWS = (floats(SAMPLES, 3),)


class CustomModule(nn.Module):
    """A user-defined module with a parameter, a buffer, a layer, and a None of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.register_parameter("absent", None)
        self.register_buffer("shift", torch.ones(2))
        self.register_buffer("nothing", None)
        self.layer = nn.Linear(3, 2)
        self.activation = None

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * self.scale + self.get_buffer("shift")


class BufferUpdates(nn.Module):
    """A module that updates a counter and a moving mean in place, in buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        self.get_buffer("calls").add_(1)
        self.get_buffer("mean").mul_(0.9).add_(x.detach().mean(0) * 0.1)
        return x - self.get_buffer("mean")


class ModuleListNet(nn.Module):
    """Residual blocks in an nn.ModuleList."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + torch.tanh(block(x))
        return x


class ModuleDictNet(nn.Module):
    """Heads in an nn.ModuleDict, with a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({"policy": nn.Linear(3, 2), "value": nn.Linear(3, 1)})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {name: head(x) for name, head in self.heads.items()}


class ParameterListNet(nn.Module):
    """A polynomial with its coefficients in an nn.ParameterList."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = nn.ParameterList(torch.randn(3) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for coefficient in self.coefficients:
            total = total * x + coefficient
        return total


class ParameterDictNet(nn.Module):
    """A linear layer with its weights in an nn.ParameterDict."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterDict({"left": torch.randn(3, 2), "bias": torch.randn(2)})

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weights["left"] + self.weights["bias"]


def tied_sequential() -> nn.Module:
    """Return an nn.Sequential that contains one layer twice."""
    layer = nn.Linear(3, 3)
    return nn.Sequential(layer, nn.Tanh(), layer)


def named_sequential() -> nn.Module:
    """Return an nn.Sequential with named layers."""
    return nn.Sequential(OrderedDict(first=nn.Linear(3, 11), second=nn.Tanh(), third=nn.Linear(11, 2)))


CASES = (
    ModuleCase("Module-written", CustomModule, ROWS),
    ModuleCase("Module-counting", BufferUpdates, ROWS),
    ModuleCase("ModuleDict-heads", ModuleDictNet, ROWS),
    ModuleCase("ModuleList-blocks", ModuleListNet, ROWS),
    ModuleCase("ParameterDict-weights", ParameterDictNet, ROWS),
    ModuleCase("ParameterList-coefficients", ParameterListNet, ROWS),
    ModuleCase("Sequential", lambda: nn.Sequential(nn.Linear(3, 11), nn.Tanh(), nn.Linear(11, 2)), ROWS),
    ModuleCase("Sequential-named", named_sequential, ROWS),
    ModuleCase("Sequential-tied", tied_sequential, ROWS),
    ModuleCase("Sequential-empty", nn.Sequential, ROWS),
)
