"""In-place operations: a call that writes to a member's tensor `s`, with operands that may be mapped too.

A call is Python source with the names of `make_operands`, whose tensors differ between members. `s` is (3, 7) unless
`on` names another tensor. All numbers are multiples of 1/64: a rounding can't move one across a discontinuity.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.cases.data import draw
from conformance.cases.operations.compile_source import compile_function
from conformance.cases.operations.outcome import failure_message
from conformance.utils.probing import ask

NAMES = {"torch": torch, "nn": nn, "F": F, "operator": operator}


def make_operands(n: int, device: torch.device | str) -> dict[str, Tensor]:
    """Return the tensors of `n` members by name, each (n, *shape)."""

    def parts(seed: int, *shape: int) -> Tensor:
        """Return numbers from 0.1 to 0.9."""
        return ((draw(n, *shape, seed=seed, device=device).sigmoid() * 52).floor() + 6) / 64

    def integers(seed: int, *shape: int) -> Tensor:
        """Return integers from 1 to 9."""
        return (parts(seed, *shape) * 10).long()

    return {
        "x": parts(1, 3, 7),
        "y": parts(2, 3, 7),
        "z": parts(3, 3, 7),
        "row": parts(4, 7),
        "column": parts(5, 3),
        "scalar": parts(6),
        "tall": parts(7, 3, 2),
        "wide": parts(8, 2, 7),
        "deep": parts(9, 2, 3, 7),
        "deep_tall": parts(10, 2, 3, 2),
        "deep_wide": parts(11, 2, 2, 7),
        "integers": integers(12, 3, 7),
        "more_integers": integers(13, 3, 7),
        "mask": parts(14, 3, 7) > 1 / 2,
        "other_mask": parts(15, 3, 7) > 1 / 2,
        "order": parts(16, 3).argsort(-1),
        "orders": parts(17, 3, 7).argsort(-2),
        "signed": parts(18, 3, 7) - 1 / 2,
        "large": parts(21, 3, 7) * 7,
        "complexes": torch.complex(parts(19, 3, 7), parts(20, 3, 7)),
    }


def consecutive_numbers(device: torch.device | str, *shape: int) -> Tensor:
    """Return the whole numbers from 1 in this shape; small products of them are exact."""
    return torch.arange(1.0, 1 + torch.Size(shape).numel(), device=device).reshape(shape)


@dataclass(frozen=True)
class InplaceOperation:
    """An in-place operation: `code` writes to `s`, a copy of the member's tensor named `on`.

    `refused` is the word in torch's refusal on mapped tensors, if a refusal is accepted. `operands` are the names
    of the tensors that it reads besides `s`.
    """

    name: str
    code: str
    on: str = "x"
    refused: str = ""
    operands: Sequence[str] = field(init=False, repr=False, compare=False)
    _write: Callable[..., Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        operands = [name for name in operand_shapes() if re.search(rf"\b{name}\b", self.code)]
        object.__setattr__(self, "operands", operands)
        object.__setattr__(self, "_write", compile_function(self.code, ("s", *operands), NAMES))

    def run(self, s: Tensor, operands: Mapping[str, Tensor]) -> Tensor:
        """Write to `s` in place, and return it; `operands` has the tensors by name."""
        self._write(s, *[operands[name] for name in self.operands])
        return s

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the error of the plain call on this device, or None if it works."""
        return ask(_failure_message, self, device)

    def __str__(self) -> str:
        return self.name


@cache
def operand_shapes() -> Mapping[str, torch.Size]:
    """Return the shapes of a member's tensors by name."""
    return {name: tensor.shape[1:] for name, tensor in make_operands(1, "cpu").items()}


@cache
def _failure_message(write: InplaceOperation, device: torch.device) -> str | None:
    one = {name: tensor[0] for name, tensor in make_operands(1, device).items()}
    return failure_message(lambda: write.run(one[write.on].clone(), one), f"{write.name} can't be called on {device}")
