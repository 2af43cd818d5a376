"""The networks of the speed table, each also written by hand for all members at once, without vmap."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.reference.simple_cnn import SimpleCNN

State = Mapping[str, Tensor]


class MLP(nn.Module):
    """Three linear layers, 784 to 256 to 256 to 10; bound by memory at a minibatch of one.

    Input (samples, 1, 28, 28), output (samples, 10): raw logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.fc2 = nn.Linear(256, 256)
        self.fc3 = nn.Linear(256, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.fc1(images.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


def mlp_by_hand(state: State, images: Tensor) -> Tensor:
    """Run MLPs by batched matrix products: images (members, samples, 1, 28, 28), output (members, samples, 10)."""
    x = F.relu(_linear(state, "fc1", images.flatten(2)))
    return _linear(state, "fc3", F.relu(_linear(state, "fc2", x)))


def cnn_by_hand(state: State, images: Tensor) -> Tensor:
    """Run SimpleCNNs with the members as groups of channels; shapes as in `mlp_by_hand`."""
    members = len(images)
    x = images.transpose(0, 1).flatten(1, 2)
    x = F.relu(_conv(state, "conv1", x, members))
    x = F.max_pool2d(F.relu(_conv(state, "conv2", x, members)), 2)
    x = x.reshape(len(x), members, -1).transpose(0, 1)
    return _linear(state, "fc2", F.relu(_linear(state, "fc1", x)))


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return torch.baddbmm(state[f"{name}.bias"].unsqueeze(1), x, state[f"{name}.weight"].mT)


def _conv(state: State, name: str, x: Tensor, members: int) -> Tensor:
    return F.conv2d(x, state[f"{name}.weight"].flatten(0, 1), state[f"{name}.bias"].flatten(), groups=members)


@dataclass(frozen=True)
class Network:
    """A network: a factory of members, a function that runs all members by hand, and the shape of one sample."""

    name: str
    factory: Callable[[], nn.Module]
    by_hand: Callable[[State, Tensor], Tensor]
    sample: tuple[int, ...] = (1, 28, 28)
    classes: int = 10


NETWORKS = (Network("MLP", MLP, mlp_by_hand), Network("SimpleCNN", SimpleCNN, cnn_by_hand))
