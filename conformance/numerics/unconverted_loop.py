"""The plain loop over members that can't be converted to float64, or not even copied: they run as they are.

There is no float64 truth. The members' own results take its place, and the budget is wider: the loop's error is how far
its result moves if the inputs, and the parameters of members that can be copied, are one rounding away, but at least
`LEAST` units of eps(dtype of the tensor) * max|result|.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.numerics.budget import rounding_unit
from conformance.numerics.plain_loop import LoopResult, PlainLoopError, shaken, shaken_tree
from conformance.utils.module_state import copy_module
from conformance.utils.pytree import as_dense, is_inexact, tree_map
from conformance.utils.text import describe_error

DRAWS = 3
LEAST = 4.0


def loop_of_copies(
    func: Callable[..., Any], models: Sequence[nn.Module], inputs: Sequence[Any], **_: Any
) -> LoopResult:
    """Return `func(model, input)` for a copy of each member, in its own dtype. Raises PlainLoopError."""
    return _loop(
        lambda draw: [
            func(*(shaken(pair, draw) if draw else (copy_module(pair[0]), tree_map(_copied, pair[1]))))
            for pair in zip(models, inputs, strict=True)
        ]
    )


def loop_of_originals(
    func: Callable[..., Any], models: Sequence[nn.Module], inputs: Sequence[Any], **_: Any
) -> LoopResult:
    """Return `func(model, input)` for each member itself, in its own dtype. Raises PlainLoopError."""
    return _loop(
        lambda draw: [
            func(model, shaken_tree(x, draw) if draw else tree_map(_copied, x))
            for model, x in zip(models, inputs, strict=True)
        ]
    )


def _loop(run: Callable[[int], list[Any]]) -> LoopResult:
    """Return the result of `run(0)`, with its error from `run(draw)`, whose numbers are one rounding away."""
    try:
        values, *others = [[tree_map(as_dense, each) for each in run(draw)] for draw in range(1 + DRAWS)]
    except Exception as error:
        raise PlainLoopError(f"the plain loop fails: {describe_error(error)}") from error
    truth = [tree_map(_as_truth, each) for each in values]
    return LoopResult(values, truth, [tree_map(_farthest, *each) for each in zip(truth, values, *others, strict=True)])


def _copied(leaf: Any) -> Any:
    return leaf.detach().clone().requires_grad_(leaf.requires_grad) if isinstance(leaf, Tensor) else leaf


def _as_truth(leaf: Any) -> Any:
    if not is_inexact(leaf):
        return leaf
    return leaf.detach().to("cpu", torch.complex128 if leaf.is_complex() else torch.float64)


def _farthest(truth: Any, value: Any, *others: Any) -> Any:
    """Return what is as far from the truth as the farthest of the results, but at least `LEAST` units away."""
    if not is_inexact(value):
        return value
    farthest = torch.full_like(truth.abs(), LEAST * rounding_unit(truth, value.dtype))
    for other in others:
        moved = (other.detach().to("cpu", truth.dtype) - truth).abs()
        farthest = torch.where(moved.isfinite() & (moved > farthest), moved, farthest)
    return (truth + farthest).to(value.dtype)
