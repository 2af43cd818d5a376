"""The grid of the speed table: networks, sizes and tasks."""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from conformance.benchmark.networks import NETWORKS, Network
from conformance.cases.data import draw
from conformance.cases.members import members

MEMBERS = (1, 2, 5, 10, 32, 100)
SAMPLES = (1, 8, 64)
# Outputs without gradients; losses and their gradients; the same and a step of SGD.
TASKS = ("forward", "backward", "step")


@dataclass(frozen=True)
class Size:
    """The size of an ensemble: its network, the number of members, and the samples in each member's minibatch."""

    network: Network
    members: int
    samples: int

    def draw(self, device: torch.device) -> tuple[list[nn.Module], Tensor, Tensor]:
        """Return the members, their minibatches (members, samples, *sample) and their classes (members, samples)."""
        leading = (self.members, self.samples)
        images = draw(*leading, *self.network.sample, seed=1, device=device)
        classes = torch.arange(self.members * self.samples, device=device).remainder(self.network.classes)
        return members(self.network.factory, self.members, seed=0, device=device), images, classes.view(leading)

    def __str__(self) -> str:
        return f"{self.network.name}, {self.members} members, minibatches of {self.samples}"


# The slowest ones last, so that a time limit leaves those out.
SIZES = [
    Size(network, *each)
    for network in NETWORKS
    for each in sorted(product(MEMBERS, SAMPLES), key=lambda each: each[0] * each[1])
]
