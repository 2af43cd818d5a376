"""Cases: a module factory with its inputs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from conformance.cases.data import draw, draw_tokens


@dataclass(frozen=True)
class TrainingCase:
    """A module to ensemble, with the shapes of one sample of its input and of its output.

    `sample` is None for a module that takes integers below 11. `smooth` modules have continuous gradients: a rounding
    error can't push an activation across a kink and make the gradient jump. Only these are tested in every precision.
    """

    name: str
    factory: Callable[[], nn.Module]
    sample: tuple[int, ...] | None
    output: tuple[int, ...]
    smooth: bool

    def inputs(self, *leading: int, device: torch.device | str, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return minibatches, (*leading, *sample)."""
        if self.sample is None:
            return draw_tokens(*leading, device=device)
        return draw(*leading, *self.sample, device=device, dtype=dtype)

    def targets(self, *leading: int, device: torch.device | str, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return targets, (*leading, *output)."""
        return draw(*leading, *self.output, seed=torch.initial_seed() + 1, device=device, dtype=dtype)

    def __str__(self) -> str:
        return self.name
