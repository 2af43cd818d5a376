"""What torch.nn.utils puts on a layer: its weight is computed anew at each call."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations, parametrize, prune

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, evaluated, where

ROWS = (floats(SAMPLES, 3),)
IMAGES = (floats(SAMPLES, 2, 4, 6),)


class Symmetric(nn.Module):
    """A parametrization without state of its own."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).mT


class Scaled(nn.Module):
    """A parametrization with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.factor


def linear(change: Callable[..., Any], *args: Any, **options: Any) -> nn.Module:
    """A layer of more outputs than inputs, changed, and inside a model: by itself it is of a class of its own."""
    return inside(nn.Linear(3, 5), change, *args, **options)


def square(change: Callable[..., Any], *args: Any, **options: Any) -> nn.Module:
    return inside(nn.Linear(3, 3), change, *args, **options)


def convolution(change: Callable[..., Any], *args: Any, **options: Any) -> nn.Module:
    return inside(nn.Conv2d(2, 3, 3), change, *args, **options)


def inside(layer: nn.Module, change: Callable[..., Any], *args: Any, **options: Any) -> nn.Module:
    change(layer, *args, **options)
    return nn.Sequential(layer, nn.Tanh())


def parametrized(layer: nn.Module, *parametrizations: Callable[[], nn.Module]) -> nn.Module:
    for each in parametrizations:
        parametrize.register_parametrization(layer, "weight", each())
    return layer


CASES = (
    *where(
        parametrizations,
        "weight_norm",
        lambda norm: (
            ModuleCase("weight_norm", partial(linear, norm), ROWS),
            ModuleCase("weight_norm-dim", partial(linear, norm, dim=1), ROWS),
            ModuleCase("weight_norm-whole", partial(linear, norm, dim=None), ROWS),
        ),
    ),
    ModuleCase("weight_norm-hook", partial(linear, utils.weight_norm), ROWS),
    ModuleCase("spectral_norm", partial(linear, parametrizations.spectral_norm), ROWS),
    ModuleCase("spectral_norm-eval", partial(evaluated, linear, parametrizations.spectral_norm), ROWS),
    ModuleCase("spectral_norm-power", partial(linear, parametrizations.spectral_norm, n_power_iterations=3), ROWS),
    ModuleCase("spectral_norm-convolution", partial(convolution, parametrizations.spectral_norm), IMAGES),
    ModuleCase("spectral_norm-hook", partial(linear, utils.spectral_norm), ROWS),
    ModuleCase("spectral_norm-hook-eval", partial(evaluated, linear, utils.spectral_norm), ROWS),
    *(
        ModuleCase(f"orthogonal-{kind}", partial(square, parametrizations.orthogonal, orthogonal_map=kind), ROWS)
        for kind in ("matrix_exp", "cayley", "householder")
    ),
    ModuleCase(
        "orthogonal-tall",
        partial(linear, parametrizations.orthogonal, orthogonal_map="matrix_exp", use_trivialization=False),
        ROWS,
    ),
    ModuleCase("parametrize-symmetric", partial(square, parametrized, Symmetric), ROWS),
    ModuleCase("parametrize-both", partial(square, parametrized, Symmetric, Scaled), ROWS),
    ModuleCase("parametrize-outermost", lambda: parametrized(nn.Linear(3, 3), Symmetric), ROWS),
    ModuleCase("prune", partial(linear, prune.l1_unstructured, "weight", amount=0.4), ROWS),
)
