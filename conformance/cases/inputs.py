"""What a minibatch is made of: tensors of a shape, a type and a range, drawn anew for each member."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from conformance.utils.pytree import tree_map


@dataclass(frozen=True)
class Input:
    """One tensor of a minibatch, its samples in front: `make(generator)` draws it on the CPU in float32.

    Floating tensors are converted to the dtype that is asked for, all others keep theirs.
    """

    make: Callable[[torch.Generator], Tensor]

    def draw(self, generator: torch.Generator, device: torch.device | str, dtype: torch.dtype) -> Tensor:
        """A tensor on that device, its floating numbers in that dtype."""
        tensor = self.make(generator)
        return tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)


def draw_minibatches(
    inputs: tuple[Any, ...], n: int, device: torch.device | str, dtype: torch.dtype
) -> list[tuple[Any, ...]]:
    """`n` minibatches, each with numbers of its own; what is no Input is the same in all."""
    generator = torch.Generator().manual_seed(torch.initial_seed() ^ 0x5EED)

    def draw(leaf: Any) -> Any:
        return leaf.draw(generator, device, dtype) if isinstance(leaf, Input) else leaf

    return [tree_map(draw, inputs) for _ in range(n)]


def floats(*shape: int) -> Input:
    """Standard normal numbers."""
    return Input(lambda generator: torch.randn(shape, generator=generator))


def positives(*shape: int) -> Input:
    """Numbers between 0.1 and 0.9: probabilities, variances, and other things that have to be positive."""
    return Input(lambda generator: torch.rand(shape, generator=generator) * 0.8 + 0.1)


def distributions(*shape: int) -> Input:
    """Positive numbers whose last dimension sums to 1."""
    return Input(lambda generator: torch.randn(shape, generator=generator).softmax(-1))


def log_distributions(*shape: int) -> Input:
    """Logarithms of what `distributions` draws."""
    return Input(lambda generator: torch.randn(shape, generator=generator).log_softmax(-1))


def integers(high: int, *shape: int, low: int = 0) -> Input:
    """Integers from `low` to `high` - 1."""
    return Input(lambda generator: torch.randint(low, high, shape, generator=generator))


def signs(*shape: int) -> Input:
    """Each 1 or -1, as floating numbers: which side a sample is on."""
    return Input(lambda generator: 2.0 * torch.randint(2, shape, generator=generator) - 1.0)


def booleans(*shape: int) -> Input:
    """True or False."""
    return Input(lambda generator: torch.randint(2, shape, generator=generator).bool())


def padding(samples: int, length: int) -> Input:
    """True where a sequence is over: the first is complete, each of the others has at least one element."""

    def make(generator: torch.Generator) -> Tensor:
        lengths = torch.randint(1, length + 1, (samples, 1), generator=generator)
        lengths[0] = length
        return torch.arange(length) >= lengths

    return Input(make)


def fixed(tensor: Tensor) -> Input:
    """The same for all members, such as lengths or a causal mask."""
    return Input(lambda _: tensor.clone())
