"""SimpleCNN, the network of the original example, and its small variant."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SimpleCNN(nn.Module):
    """The network of PyTorch's model ensembling tutorial; the defaults are the tutorial's sizes.

    Input (samples, channels[0], image_size, image_size), output (samples, classes): raw logits.
    """

    def __init__(
        self,
        channels: tuple[int, int, int] = (1, 32, 64),
        image_size: int = 28,
        hidden: int = 128,
        classes: int = 10,
    ) -> None:
        super().__init__()
        pooled = (image_size - 4) // 2
        self.conv1 = nn.Conv2d(channels[0], channels[1], 3)
        self.conv2 = nn.Conv2d(channels[1], channels[2], 3)
        self.fc1 = nn.Linear(channels[2] * pooled**2, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.conv1(images))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


def small_cnn() -> SimpleCNN:
    """SimpleCNN on 8x8 images with 1, 2 and 3 channels."""
    return SimpleCNN(channels=(1, 2, 3), image_size=8, hidden=11, classes=13)
