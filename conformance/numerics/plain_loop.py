"""The plain loop over the members: its result as asked, in float64 on the CPU, and a sample of its own error."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from conformance.utils import rng
from conformance.utils.module_state import convert_module, copy_module, state_of
from conformance.utils.pytree import is_inexact, leaves, tree_map
from conformance.utils.text import describe_error

# How often the loop's error is measured again before a comparison that is in doubt fails.
MORE_DRAWS = 4
COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}


@dataclass(frozen=True)
class LoopResult:
    """The result of the plain loop, one tree of tensors per member.

    `values` are the loop's as asked, `truth` float64 on the CPU, `sample` what to measure the loop's error on: the
    values themselves, or for float64 the same loop in float32. `draw` measures it again, with models, inputs and
    constants one rounding away, as often as there are `seeds`; it returns None if a model or an input has changed.
    """

    values: Sequence[Any]
    truth: Sequence[Any]
    sample: Sequence[Any]
    draw: Callable[[int], Sequence[Any] | None] | None = None
    seeds: Sequence[int] = ()

    def measured_again(self) -> "LoopResult | None":
        """Return the result with the loop's error measured once more, or None if it can't be."""
        more = self.draw(self.seeds[0]) if self.draw and self.seeds else None
        if more is None:
            return None
        return replace(self, sample=_farthest(self.truth, self.sample, more), seeds=self.seeds[1:])

    def select(self, indices: Sequence[int]) -> "LoopResult":
        """Return the result of these members alone, in this order."""

        def draw(seed: int) -> Sequence[Any] | None:
            trees = self.draw(seed) if self.draw else None
            return trees and [trees[i] for i in indices]

        values, truth, sample = ([each[i] for i in indices] for each in (self.values, self.truth, self.sample))
        return LoopResult(values, truth, sample, draw, self.seeds)


class PlainLoopError(AssertionError):
    """The plain loop itself fails: this build is broken before any ensemble is."""


_shake_constant: ContextVar[Callable[[Tensor], Tensor] | None] = ContextVar("shake_constant", default=None)


def as_constant(tensor: Tensor) -> Tensor:
    """Return a constant of the function that `loop` runs: itself, or one rounding away where an error is measured.

    A gradient in a last bias depends on the weights of the sum that is differentiated, and on nothing else. Its error
    would be the same in all members and in all draws, and could be small by luck in all of them.
    """
    shake = _shake_constant.get()
    return shake(tensor) if shake else tensor


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
    values = run_members(func, models, inputs, None)
    tensors = [
        leaf for _, leaf in leaves([[state_of(model) for model in models], inputs, values], "") if is_inexact(leaf)
    ]
    doubles = [leaf.dtype in (torch.float64, torch.complex128) for leaf in tensors]
    exact = plain is None and all(doubles) and all(leaf.device.type == "cpu" for leaf in tensors)
    truth = values if exact else run_members(bare, models, inputs, torch.float64)
    coarse = torch.float32 if any(doubles) else None

    def sample(draw: int) -> list[Any]:
        shaken = [_shaken(pair, draw, rounding) for pair in zip(models, inputs, strict=True)]
        with _noisy_constants(draw, rounding):
            return run_members(bare if coarse else func, [model for model, _ in shaken], [x for _, x in shaken], coarse)

    def sample_of_the_same(draw: int) -> list[Any] | None:
        # A later caller may have changed the models or the inputs; an error measured on others means nothing.
        with _kept_random_state(tensors[0].device), suppress(PlainLoopError):
            if _are_equal(run_members(func, models, inputs, None), values):
                return sample(draw)
        return None

    with _noisy_constants(0, rounding):
        worst = run_members(bare, models, inputs, coarse) if coarse else values
    sizes = [leaf.numel() for _, leaf in leaves(truth[0], "") if is_inexact(leaf) and leaf.numel()]
    enough = max(draws, math.ceil(numbers / (len(models) * min(sizes, default=numbers))))
    for draw in range(1, enough):
        worst = _farthest(truth, worst, sample(draw))
    return LoopResult(values, truth, worst, sample_of_the_same, tuple(range(enough, enough + MORE_DRAWS)))


def _are_equal(trees: Sequence[Any], others: Sequence[Any]) -> bool:
    pairs = zip(leaves(trees, ""), leaves(others, ""), strict=True)
    return all(torch.equal(leaf, other) for (_, leaf), (_, other) in pairs if is_inexact(leaf))


@contextmanager
def _kept_random_state(device: torch.device) -> Iterator[None]:
    kept = rng.state(device)
    try:
        yield
    finally:
        rng.restore(kept)


@contextmanager
def _noisy_constants(draw: int, rounding: float) -> Iterator[None]:
    """Let `as_constant` return each constant of each member one rounding away."""
    token = _shake_constant.set(partial(_shake, torch.Generator().manual_seed(draw), rounding))
    try:
        yield
    finally:
        _shake_constant.reset(token)


def _shaken(pair: tuple[nn.Module, Any], draw: int, rounding: float) -> tuple[nn.Module, Any]:
    """A copy of a model, and its input, with every number one rounding off at most: its own or a coarser one."""
    generator = torch.Generator().manual_seed(draw)

    def shake(leaf: Any) -> Any:
        return _shake(generator, rounding, leaf) if is_inexact(leaf) else leaf

    model = copy_module(pair[0])
    for tensor in state_of(model).values():
        tensor.data = shake(tensor)
    return model, tree_map(shake, pair[1])


def _shake(generator: torch.Generator, rounding: float, tensor: Tensor) -> Tensor:
    eps = max(torch.finfo(tensor.dtype).eps, torch.finfo(torch.float32).eps, rounding)
    noise = (2 * torch.rand(tensor.shape, generator=generator) - 1).to(tensor.device)
    return (tensor.detach() * (1 + eps * noise.to(tensor.dtype))).to(tensor.dtype)


def _farthest(truth: Sequence[Any], sample: Sequence[Any], more: Sequence[Any]) -> list[Any]:
    return [tree_map(_farther, *each) for each in zip(truth, sample, more, strict=True)]


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


def run_members(
    func: Callable[..., Any], models: Sequence[nn.Module], inputs: Sequence[Any], dtype: torch.dtype | None
) -> list[Any]:
    """`func(model, input)` for each member in turn, on copies; on the CPU in this dtype, unless it is None.

    Raises PlainLoopError.
    """
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
