"""Inputs of a minibatch: tensors of a shape, a type and a range, drawn anew for each member."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from conformance.utils.pytree import TreeLeaf, tree_map


@dataclass(frozen=True)
class Input(TreeLeaf):
    """One tensor of a minibatch, with samples in dimension 0: `make(generator)` draws it on the CPU in float32.

    Floating tensors are converted to the requested dtype; all others keep theirs.
    """

    make: Callable[[torch.Generator], Tensor]

    def draw(self, generator: torch.Generator, device: torch.device | str, dtype: torch.dtype) -> Tensor:
        """Draw the tensor on that device; a floating tensor has that dtype."""
        tensor = self.make(generator)
        return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)


def draw_minibatches(
    inputs: tuple[Any, ...], n: int, device: torch.device | str, dtype: torch.dtype
) -> list[tuple[Any, ...]]:
    """Return `n` minibatches with different numbers; leaves other than an Input are the same in all."""
    generator = torch.Generator().manual_seed(torch.initial_seed() ^ 0x5EED)

    def draw(leaf: Any) -> Any:
        return leaf.draw(generator, device, dtype) if isinstance(leaf, Input) else leaf

    return [tree_map(draw, inputs) for _ in range(n)]


def floats(*shape: int) -> Input:
    """Return an Input of standard normal numbers."""
    return Input(lambda generator: torch.randn(shape, generator=generator))


def positives(*shape: int) -> Input:
    """Return an Input of numbers from 0.1 to 0.9, for probabilities, variances and other positive values."""
    return Input(lambda generator: torch.rand(shape, generator=generator) * 0.8 + 0.1)


def distributions(*shape: int) -> Input:
    """Return an Input of positive numbers that sum to 1 over the last dimension."""
    return Input(lambda generator: torch.randn(shape, generator=generator).softmax(-1))


def log_distributions(*shape: int) -> Input:
    """Return an Input of the logarithms of `distributions`."""
    return Input(lambda generator: torch.randn(shape, generator=generator).log_softmax(-1))


def integers(high: int, *shape: int, low: int = 0) -> Input:
    """Return an Input of int64 numbers from `low` to `high` - 1."""
    return Input(lambda generator: torch.randint(low, high, shape, generator=generator))


def signs(*shape: int) -> Input:
    """Return an Input of the floating numbers 1 and -1, such as the labels of a margin loss."""
    return Input(lambda generator: 2.0 * torch.randint(2, shape, generator=generator) - 1.0)


def booleans(*shape: int) -> Input:
    """Return an Input of booleans."""
    return Input(lambda generator: torch.randint(2, shape, generator=generator).bool())


def padding(samples: int, length: int) -> Input:
    """Return a padding mask, (samples, length): True after a sequence's end.

    The first sequence has the full length, each of the others at least one element.
    """

    def make(generator: torch.Generator) -> Tensor:
        lengths = torch.randint(1, length + 1, (samples, 1), generator=generator)
        lengths[0] = length
        return torch.arange(length) >= lengths

    return Input(make)


def fixed(tensor: Tensor) -> Input:
    """Return an Input that is the same for all members, such as lengths or a causal mask."""
    return Input(lambda _: tensor.clone())
