"""Faults for the chapter `randomness`: the wrong generator, the wrong distribution, the wrong mask."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.faults.base.derivative import through_door
from conformance.faults.base.patch import PatchedInsideVmap
from conformance.faults.randomness import ModeFault

MANY = 10_000


class GeneratorIgnored(PatchedInsideVmap):
    """Inside vmap torch.rand ignores its generator and draws from the default one."""

    breaks = "randomness.generator"
    also = ("randomness.generator_in_chunks",)
    attribute = "rand"

    def spoiled(self, rand: Any, *args: Any, generator: Any = None, **options: Any) -> Any:  # noqa: ARG002
        return rand(*args, **options)


class GeneratorOfLikeIgnored(PatchedInsideVmap):
    """Inside vmap torch.rand_like ignores its generator and draws from the default one."""

    breaks = "randomness.generator_of_like"
    attribute = "rand_like"

    def spoiled(self, rand_like: Any, *args: Any, generator: Any = None) -> Any:  # noqa: ARG002
        return rand_like(*args)


class GeneratorStandsStill(PatchedInsideVmap):
    """Inside vmap torch.rand draws from a copy of its generator."""

    breaks = "randomness.generator_in_chunks"
    also = ("randomness.generator",)
    attribute = "rand"

    def spoiled(self, rand: Any, *args: Any, generator: Any = None, **options: Any) -> Any:
        if generator is not None:
            options["generator"] = torch.Generator(generator.device).set_state(generator.get_state())
        return rand(*args, **options)


class AttentionDropsNothing(PatchedInsideVmap):
    """Inside vmap attention has no dropout."""

    breaks = "randomness.attention"
    owner = F
    attribute = "scaled_dot_product_attention"

    def spoiled(self, attention: Any, *args: Any, dropout_p: float = 0.0) -> Any:  # noqa: ARG002
        return attention(*args)


class MaskOfNumbers(PatchedInsideVmap):
    """Inside vmap the mask of native_dropout has a floating dtype."""

    breaks = "randomness.mask_dtype"
    attribute = "native_dropout"

    def spoiled(self, native_dropout: Any, *args: Any) -> Any:
        out, mask = native_dropout(*args)
        return out, mask.float()


class ManyNumbersAreNarrow(PatchedInsideVmap):
    """Large draws have no number above 0.95."""

    breaks = "randomness.distribution"
    also = ("randomness.independence",)
    attribute = "rand"

    def spoiled(self, rand: Any, *args: Any, **options: Any) -> Any:
        numbers = rand(*args, **options)
        return numbers * 0.95 if numbers.numel() > MANY else numbers


class DropsTooMuch(PatchedInsideVmap):
    """Inside vmap dropout drops a tenth too much and scales as if it did not."""

    breaks = "randomness.distribution"
    also = ("randomness.*",)
    owner = F
    attribute = "dropout"

    def spoiled(self, dropout: Any, x: Tensor, p: float = 0.5, *args: Any, **options: Any) -> Any:
        return (
            dropout(x, p * 1.1, *args, **options) * (1 - p * 1.1) / (1 - p)
            if p < 0.5
            else dropout(x, p, *args, **options)
        )


class NeighbourDrawsTheSameLater(ModeFault):
    """In large draws the second member gets the first one's numbers, shifted by one."""

    breaks = "randomness.independence"

    def drawn(self, mode: str, out: Any, more: Any) -> Any:  # noqa: ARG002
        if mode == "different" and isinstance(out, Tensor) and out.ndim == 2 and out.shape[1] > MANY:
            out = torch.cat([out[:1], out[:1].roll(1, 1), out[2:]])
        return out


class DropsForEachMember(ModeFault):
    """In mode same each member of an ensemble drops for itself."""

    breaks = "randomness.dropout_same"

    def mode(self, asked: str, in_dims: Any, args: Any, more: Any) -> str:  # noqa: ARG002
        return "different" if asked == "same" and isinstance(args[0], dict) else asked


class DropsAlike(ModeFault):
    """In mode different all members of an ensemble drop the same."""

    breaks = "randomness.dropout_different"

    def mode(self, asked: str, in_dims: Any, args: Any, more: Any) -> str:  # noqa: ARG002
        return "same" if asked == "different" and isinstance(args[0], dict) else asked


class DropsInEvalMode(PatchedInsideVmap):
    """Inside vmap dropout ignores eval mode."""

    breaks = "randomness.dropout_eval"
    owner = F
    attribute = "dropout"

    def spoiled(self, dropout: Any, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:  # noqa: ARG002
        return dropout(x, p, True, inplace)


class BackwardDropsTheNeighbour(PatchedInsideVmap):
    """Inside vmap the backward of dropout drops the element next to the one that forward dropped."""

    breaks = "randomness.backward"
    owner = F
    attribute = "dropout"

    def spoiled(self, dropout: Any, x: Tensor, *args: Any, **options: Any) -> Any:
        return dropout(through_door(self, x), *args, **options)

    def cotangent(self, tensor: Tensor) -> Tensor:
        return tensor.roll(1, -1)
