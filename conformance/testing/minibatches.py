"""Minibatches of members: drawn from Inputs, or the next samples of plain tensors."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import torch
from torch import Tensor

from conformance.cases.inputs import Input, draw_minibatches
from conformance.checks.calls import make_minibatch
from conformance.utils.module_state import dtype_in
from conformance.utils.pytree import leaves, tree_map
from conformance.utils.text import type_name

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def arguments_of(inputs: Any, kwargs: Mapping[str, Any]) -> Arguments:
    """Return the arguments of forward; a single tensor or Input is one positional argument.

    Raises TypeError if `inputs` is neither a list nor a tuple.
    """
    if isinstance(inputs, Tensor | Input):
        inputs = (inputs,)
    if not isinstance(inputs, list | tuple):
        raise TypeError(
            f"inputs: expected a list or tuple of forward's positional arguments, got {type_name(inputs)}; "
            "keyword arguments are given as kwargs={...}"
        )
    return tuple(inputs), dict(kwargs)


def member_minibatches(
    arguments: Arguments, batch: int | None, n: int, device: torch.device | str, dtype: torch.dtype
) -> list[tuple[Any, ...]]:
    """Return a minibatch for each of `n` members.

    Plain tensors with as many samples (dimension 0) as the first of them are cut: each member gets the `batch` samples
    that follow those of the member before, and the first samples again after the last. Without `batch`, each member
    gets all samples, and begins one later than the member before. Other plain tensors are the same for all members.

    Raises ValueError as `count_samples` does.
    """
    samples = count_samples(arguments, batch)
    size = batch or samples

    def as_input(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return _NextSamples(leaf, size) if leaf.ndim and len(leaf) == samples else _NextSamples(leaf, 0)

    drawn = draw_minibatches(tree_map(as_input, arguments), n, device, dtype)
    return [make_minibatch(args, kwargs) for args, kwargs in drawn]


def count_samples(arguments: Arguments, batch: int | None) -> int:
    """Return the number of samples of the plain tensors, or 0 if there are none.

    Raises ValueError if `batch` is given without plain tensors or exceeds their samples, or if they have only one.
    """
    plain = (leaf for _, leaf in leaves(arguments, "") if isinstance(leaf, Tensor) and leaf.ndim)
    first = next(plain, None)
    if first is None:
        if batch is not None:
            raise ValueError("batch: it applies to plain tensors only; an Input has its samples in its shape")
        return 0
    samples = len(first)
    if samples <= 1:
        raise ValueError(
            f"inputs: expected at least 2 samples in dimension 0 of a plain tensor, got shape {tuple(first.shape)}: "
            "the minibatches of members must differ; fixed(tensor) is the same for all members"
        )
    if batch is not None and not 1 <= batch <= samples:
        raise ValueError(f"batch: expected 1 to {samples}, the number of samples in the plain tensors, got {batch}")
    return samples


class _NextSamples(Input):
    """An input that draws the next `size` samples of a tensor each time, or all of it if `size` is 0."""

    def __init__(self, tensor: Tensor, size: int) -> None:
        super().__init__(lambda _: self._rows(tensor.detach(), size))
        object.__setattr__(self, "turns", count())  # an Input is frozen

    def draw(self, generator: torch.Generator, device: torch.device | str, dtype: torch.dtype) -> Tensor:
        """Draw the tensor on that device, with floating and complex numbers in the precision of `dtype`."""
        rows = self.make(generator)
        return rows.to(device, dtype_in(dtype, rows))

    def _rows(self, tensor: Tensor, size: int) -> Tensor:
        if not size:
            return tensor.clone()
        # If each member gets all samples, each begins at another one.
        start = next(self.turns) * (size if size < len(tensor) else 1)  # type: ignore[attr-defined]
        return tensor[((start + torch.arange(size)) % len(tensor)).to(tensor.device)]
