"""Cases of parametrizations of torch.nn.utils, which compute a layer's weight anew at each call."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations, parametrize, prune

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, if_available, in_eval_mode

ROWS = (floats(SAMPLES, 3),)
IMAGES = (floats(SAMPLES, 2, 4, 6),)


class Symmetric(nn.Module):
    """A parametrization without state."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).mT


class Scaled(nn.Module):
    """A parametrization with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.factor


def change_linear(change: Callable[..., Any], *args: Any, **options: Any) -> nn.Module:
    """Return a model with a changed layer that has more outputs than inputs."""
    return change_and_wrap(nn.Linear(3, 5), change, *args, **options)


def change_square_linear(change: Callable[..., Any], *args: Any, **options: Any) -> nn.Module:
    """Return a model with a changed layer that has as many outputs as inputs."""
    return change_and_wrap(nn.Linear(3, 3), change, *args, **options)


def change_convolution(change: Callable[..., Any], *args: Any, **options: Any) -> nn.Module:
    """Return a model with a changed convolution."""
    return change_and_wrap(nn.Conv2d(2, 3, 3), change, *args, **options)


def change_and_wrap(layer: nn.Module, change: Callable[..., Any], *args: Any, **options: Any) -> nn.Module:
    """Return a model with the layer after `change(layer)`, which may give the layer a new class."""
    change(layer, *args, **options)
    return nn.Sequential(layer, nn.Tanh())


def parametrize_weight(layer: nn.Module, *parametrizations: Callable[[], nn.Module]) -> nn.Module:
    """Register the parametrizations of the layer's weight, and return the layer."""
    for each in parametrizations:
        parametrize.register_parametrization(layer, "weight", each())
    return layer


CASES = (
    *if_available(
        parametrizations,
        "weight_norm",
        lambda norm: (
            ModuleCase("weight_norm", partial(change_linear, norm), ROWS),
            ModuleCase("weight_norm-dim", partial(change_linear, norm, dim=1), ROWS),
            ModuleCase("weight_norm-whole", partial(change_linear, norm, dim=None), ROWS),
        ),
    ),
    ModuleCase("weight_norm-hook", partial(change_linear, utils.weight_norm), ROWS),
    ModuleCase("spectral_norm", partial(change_linear, parametrizations.spectral_norm), ROWS),
    ModuleCase("spectral_norm-eval", partial(in_eval_mode, change_linear, parametrizations.spectral_norm), ROWS),
    ModuleCase(
        "spectral_norm-power", partial(change_linear, parametrizations.spectral_norm, n_power_iterations=3), ROWS
    ),
    ModuleCase("spectral_norm-convolution", partial(change_convolution, parametrizations.spectral_norm), IMAGES),
    ModuleCase("spectral_norm-hook", partial(change_linear, utils.spectral_norm), ROWS),
    ModuleCase("spectral_norm-hook-eval", partial(in_eval_mode, change_linear, utils.spectral_norm), ROWS),
    *(
        ModuleCase(
            f"orthogonal-{kind}", partial(change_square_linear, parametrizations.orthogonal, orthogonal_map=kind), ROWS
        )
        for kind in ("matrix_exp", "cayley", "householder")
    ),
    ModuleCase(
        "orthogonal-tall",
        partial(change_linear, parametrizations.orthogonal, orthogonal_map="matrix_exp", use_trivialization=False),
        ROWS,
    ),
    ModuleCase("parametrize-symmetric", partial(change_square_linear, parametrize_weight, Symmetric), ROWS),
    ModuleCase("parametrize-both", partial(change_square_linear, parametrize_weight, Symmetric, Scaled), ROWS),
    ModuleCase("parametrize-outermost", lambda: parametrize_weight(nn.Linear(3, 3), Symmetric), ROWS),
    ModuleCase("prune", partial(change_linear, prune.l1_unstructured, "weight", amount=0.4), ROWS),
)
