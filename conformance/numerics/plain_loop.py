"""The plain loop over the members: its result as asked, in float64 on the CPU, and a sample of its own error."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from conformance.utils.module_state import convert_module, copy_module, state_of
from conformance.utils.pytree import is_inexact, leaves, tree_map
from conformance.utils.text import describe_error

COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}


@dataclass(frozen=True)
class LoopResult:
    """The result of the plain loop, one tree of tensors per member.

    `values` are the loop's as asked, `truth` float64 on the CPU, `sample` what to measure the loop's error on: the
    values themselves, or for float64 the same loop in float32.
    """

    values: Sequence[Any]
    truth: Sequence[Any]
    sample: Sequence[Any]


class PlainLoopError(AssertionError):
    """The plain loop itself fails: this build is broken before any ensemble is."""


def loop(
    func: Callable[..., Any],
    models: Sequence[nn.Module],
    inputs: Sequence[Any],
    *,
    draws: int = 1,
    numbers: int = 1,
    plain: Callable[..., Any] | None = None,
    rounding: float = 0.0,
) -> LoopResult:
    """`func(model, input)` for each member in turn, on copies: as asked, and in float64 on the CPU.

    It runs before the ensemble does, and raises PlainLoopError, so that no ensemble is blamed for a plain module.
    `draws`: how often to measure the loop's error, each time but the first with inputs and models one rounding away.
    Where one element is far more sensitive than all others, as in training, a single error may be small by luck.
    `numbers`: measure it as often as it takes for each tensor to show that many errors, over all its members.
    `plain`: the same as `func` without the setting that `func` runs under, such as autocast. The truth comes from it,
    and float64's float32 too, since no setting may make float64 coarser. `rounding`: what one rounding is at least,
    where `func` computes in a coarser precision than its tensors have.
    """
    bare = plain or func
    values = _run(func, models, inputs, None)
    tensors = [
        leaf for _, leaf in leaves([[state_of(model) for model in models], inputs, values], "") if is_inexact(leaf)
    ]
    doubles = [leaf.dtype in (torch.float64, torch.complex128) for leaf in tensors]
    exact = plain is None and all(doubles) and all(leaf.device.type == "cpu" for leaf in tensors)
    truth = values if exact else _run(bare, models, inputs, torch.float64)
    coarse = torch.float32 if any(doubles) else None
    sample = _run(bare, models, inputs, coarse) if coarse else values
    sizes = [leaf.numel() for _, leaf in leaves(truth[0], "") if is_inexact(leaf) and leaf.numel()]
    enough = math.ceil(numbers / (len(models) * min(sizes, default=numbers)))
    for draw in range(1, max(draws, enough)):
        shaken = [_shaken(pair, draw, rounding) for pair in zip(models, inputs, strict=True)]
        more = _run(bare if coarse else func, [model for model, _ in shaken], [x for _, x in shaken], coarse)
        sample = [tree_map(_farther, *each) for each in zip(truth, sample, more, strict=True)]
    return LoopResult(values, truth, sample)


def _shaken(pair: tuple[nn.Module, Any], draw: int, rounding: float) -> tuple[nn.Module, Any]:
    """A copy of a model, and its input, with every number one rounding off at most: its own or a coarser one."""
    generator = torch.Generator().manual_seed(draw)

    def shake(leaf: Any) -> Any:
        if not is_inexact(leaf):
            return leaf
        eps = max(torch.finfo(leaf.dtype).eps, torch.finfo(torch.float32).eps, rounding)
        noise = (2 * torch.rand(leaf.shape, generator=generator) - 1).to(leaf.device)
        return (leaf.detach() * (1 + eps * noise.to(leaf.dtype))).to(leaf.dtype)

    model = copy_module(pair[0])
    for tensor in state_of(model).values():
        tensor.data = shake(tensor)
    return model, tree_map(shake, pair[1])


def _farther(truth: Any, one: Any, other: Any) -> Any:
    """Element by element, which of two is farther from the truth; what is not inexact is equal anyway."""
    if not is_inexact(truth):
        return one
    gap, other_gap = ((each.detach().to("cpu", truth.dtype) - truth).abs() for each in (one, other))
    return torch.where((gap >= other_gap).to(one.device), one, other)


def as_float64_result(answer: LoopResult) -> LoopResult:
    """Return the result of `loop` in float64, given its result in float32: the truth, moved to the device."""
    moved = [
        tree_map(lambda leaf, value: leaf.to(value.device), *pair)
        for pair in zip(answer.truth, answer.values, strict=True)
    ]
    return LoopResult(moved, truth=answer.truth, sample=answer.values)


def _run(func: Callable[..., Any], models: Sequence[nn.Module], inputs: Sequence[Any], dtype: Any) -> list[Any]:
    try:
        pairs = [(copy_module(model), copy.deepcopy(x)) for model, x in zip(models, inputs, strict=True)]
        if dtype is not None:
            convert = partial(_tensor_in, dtype)
            pairs = [(convert_module(model, convert), tree_map(convert, x)) for model, x in pairs]
        return [func(model, x) for model, x in pairs]
    except Exception as error:
        raise PlainLoopError(f"the plain loop fails: {describe_error(error)}") from error


def _tensor_in(dtype: torch.dtype, leaf: Any) -> Any:
    """A floating or complex tensor in this precision on the CPU; integers stay as they are."""
    if not isinstance(leaf, Tensor):
        return leaf
    if not is_inexact(leaf):
        return leaf.detach().to("cpu", copy=True)
    target = COMPLEX[dtype] if leaf.is_complex() else dtype
    return leaf.detach().to("cpu", target, copy=True).requires_grad_(leaf.requires_grad)
