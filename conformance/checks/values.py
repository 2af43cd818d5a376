"""Outputs and inputs of a model that checks compare and differentiate."""

from typing import Any

import torch
from torch import Tensor

from conformance.checks.calls import own_leaves
from conformance.numerics.plain_loop import PlainLoopError, as_constant
from conformance.utils.pytree import is_inexact, leaves


def output_tensors(output: Any) -> tuple[Tensor, ...]:
    """Return the tensors of an output in order, without other leaves such as None, which vmap can't return."""
    return tuple(leaf for _, leaf in leaves(output, "output") if isinstance(leaf, Tensor))


def floating_inputs(tree: Any) -> list[Tensor]:
    """Return the floating dense tensors among a member's own inputs."""
    return [leaf for _, leaf in own_leaves(tree) if is_differentiable(leaf)]


def is_differentiable(leaf: Any) -> bool:
    """Return True for an input that derivatives are taken in. A sparse one is a constant, such as a graph's edges."""
    return is_inexact(leaf) and leaf.layout == torch.strided


def weighted_sum(output: Any) -> Tensor:
    """Return a scalar that depends on every floating element of an output, each with its own weight."""
    parts = [(leaf * _weights(leaf)).sum() for leaf in output_tensors(output) if is_inexact(leaf)]
    if not parts:
        raise PlainLoopError("no output is a floating tensor, so there is no gradient")
    return torch.stack([part.real if part.is_complex() else part for part in parts]).sum()


def _weights(leaf: Tensor) -> Tensor:
    """Return a weight from -1 to 1 for each element, the same in every dtype except for rounding.

    The phases are squares, so that the weights cancel no more than random numbers do. Cosines of consecutive integers
    cancel almost completely: the gradient of a bias would be little more than rounding, and equal in all members.
    """
    phases = torch.arange(1, 1 + leaf.numel(), dtype=torch.float64).square()
    return as_constant(phases.cos().to(leaf.dtype).to(leaf.device).reshape(leaf.shape))
