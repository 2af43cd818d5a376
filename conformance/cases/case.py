"""Cases: a module factory with its inputs, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from conformance.cases.data import draw, draw_tokens


@dataclass(frozen=True)
class TrainingCase:
    """A module to ensemble, the shape of one of its samples, and the shape of what it answers to one.

    `sample` is None for a module that takes integers below 11. `smooth`: its gradient has no kinks, so that a rounding
    can't carry an activation over one and make the gradient jump; only then can it be judged in every precision.
    """

    name: str
    factory: Callable[[], nn.Module]
    sample: tuple[int, ...] | None
    output: tuple[int, ...]
    smooth: bool

    def inputs(self, *leading: int, device: torch.device | str, dtype: torch.dtype = torch.float64) -> Tensor:
        """Minibatches, (*leading, *sample)."""
        if self.sample is None:
            return draw_tokens(*leading, device=device)
        return draw(*leading, *self.sample, device=device, dtype=dtype)

    def targets(self, *leading: int, device: torch.device | str, dtype: torch.dtype = torch.float64) -> Tensor:
        """What to learn, (*leading, *output)."""
        return draw(*leading, *self.output, seed=torch.initial_seed() + 1, device=device, dtype=dtype)

    def __str__(self) -> str:
        return self.name
