"""The dropout modules of torch.nn, each in a member with a scale."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members


class ScaledDropout(nn.Module):
    """A scalar parameter, and then a dropout. Input and output (samples, *sample)."""

    def __init__(self, dropout: Callable[[float], nn.Module], p: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(()).exp())
        self.dropout = dropout(p)

    def forward(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.dropout(self.scale * x)
        return dropped


@dataclass(frozen=True)
class DropoutCase:
    """A dropout module of torch.nn, the shape of a sample, and the probability to drop."""

    module: str
    sample: tuple[int, ...]
    p: float

    def members(self, device: torch.device) -> list[nn.Module]:
        """Return the members, which differ in their scale."""
        return members(lambda: ScaledDropout(getattr(nn, self.module), self.p), MEMBERS, device=device)

    def inputs(self, *leading: int, device: torch.device) -> Tensor:
        """Return positive numbers, (*leading, samples, *sample)."""
        return draw(*leading, SAMPLES, *self.sample, device=device).exp()

    def __str__(self) -> str:
        return f"{self.module}-{self.p}"


SAMPLE_SHAPES = {
    "Dropout": (11,),
    "Dropout1d": (11, 2),
    "Dropout2d": (11, 2, 3),
    "Dropout3d": (11, 2, 3, 4),
    "AlphaDropout": (11,),
    "FeatureAlphaDropout": (11, 2),
}
DROPOUTS = [DropoutCase(module, sample, p) for module, sample in SAMPLE_SHAPES.items() for p in (0.0, 0.3, 1.0)]
# Those that drop some elements and keep others.
PARTIAL_DROPOUTS = [each for each in DROPOUTS if 0 < each.p < 1]
