"""The functions of torch's public API that take `out=`, found by their documentation, each with a call.

Most of them take one of a few kinds of arguments; the first kind that works is used. This covers new functions of a
release too. A function for which no kind works is reported by name.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

from conformance.cases.data import draw
from conformance.cases.operations.compile_source import compile_function
from conformance.cases.operations.outcome import failure_message
from conformance.utils.pytree import tree_map

NAMESPACES = {"torch": torch, "torch.fft": torch.fft, "torch.linalg": torch.linalg, "torch.special": torch.special}
DOCUMENTED = re.compile(r"\bout\s*=\s*None|\bout \(")

# The kinds of arguments, in the order in which they are tried, with the names of `make_operands`.
ARGUMENTS = (
    *("x", "x, y", "x, 0", "x, order", "x, 0, orders", "x, 0, orders, y", "x, y, x"),
    *("square", "square, other", "square, column", "square, 2", "square, column, column", "square, other, other"),
    *("integers", "integers, integers", "mask", "mask, mask", "column", "column, column", "[x, y]", "(square, other)"),
    *("deep, deep_other", "square, deep, deep_other", "deep, deep, deep_other", "column, square, column"),
    *("3", "(3, 5)", "1, 3", "1, 3, 5", "(3,), 2.0", "0, 9, (3, 5)"),
    *(
        "x, 0, order",
        "x, 0, order, y",
        "x, mask",
        "x, 2",
        "x, 0.5",
        "x, 0, 1",
        "x, 2.0, 0, 1.0",
        "x, 1, 0, 2",
        "column, 3",
    ),
    *("square, pivots, other", "other, square, pivots", "square, pivots"),
    *("2, x", "mask, x, y"),
)
# Functions that need a keyword argument, or arguments of a special form.
SPECIAL = {
    "torch.linalg.solve_triangular": "square.tril(), other, upper=False",
    "torch.index_reduce": "x, 0, order, y, 'prod'",
    "torch.masked_select": "x, x > 0",
    "torch.linalg.tensorinv": "square, ind=1",
    "torch.ormqr": "square, column, other",
}
# Functions that are not called, with the reason.
EXCLUDED = {
    "torch.empty": "its result is undefined",
    "torch.empty_like": "its result is undefined",
    **dict.fromkeys(
        ("torch.bernoulli", "torch.multinomial", "torch.normal", "torch.rand", "torch.randint", "torch.randn"),
        "it draws random numbers: see the chapter randomness",
    ),
    "torch.range": "deprecated in favour of torch.arange",
    "torch.randperm": "it draws random numbers: see the chapter randomness",
    "torch.hspmm": "it takes sparse tensors",
    "torch.sspaddmm": "it takes sparse tensors",
    "torch.histogramdd": "it documents out= and does not accept it",
    "torch.std_mean": "it documents out= and does not accept it",
    "torch.var_mean": "it documents out= and does not accept it",
}


def make_operands(n: int, device: torch.device | str) -> dict[str, Tensor]:
    """Return the tensors of `n` members by name, each (n, *shape)."""

    def numbers(seed: int, *shape: int) -> Tensor:
        return draw(n, *shape, seed=seed, device=device).sigmoid() * 0.8 + 0.1

    half = numbers(3, 3, 3)
    square = half @ half.mT + torch.eye(3, device=device)
    return {
        "x": numbers(1, 3, 7),
        "y": numbers(2, 3, 7),
        "square": square,
        "other": numbers(4, 3, 3),
        "column": numbers(5, 3),
        "deep": numbers(6, 2, 3, 3),
        "deep_other": numbers(7, 2, 3, 3),
        "integers": (numbers(8, 3, 7) * 10).long(),
        "mask": numbers(9, 3, 7) > 1 / 2,
        "order": numbers(10, 3).argsort(-1),
        "orders": numbers(11, 3, 7).argsort(-2),
        "pivots": torch.arange(1, 4, device=device, dtype=torch.int32).repeat(n, 1),
    }


@dataclass(frozen=True)
class OutCall:
    """A function that takes `out=`, with the arguments of its call."""

    name: str
    arguments: str
    _call: Callable[..., Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        call = compile_function(f"{self.name}({self.arguments}, **out)", ("out", *_operand_names()), {"torch": torch})
        object.__setattr__(self, "_call", call)

    def run(self, operands: Mapping[str, Tensor], out: Any = None) -> Any:
        """Return the function's result, written to `out` if given; `operands` has the tensors by name."""
        return self._call(out={} if out is None else {"out": out}, **operands)

    def __str__(self) -> str:
        return self.name


@cache
def _operand_names() -> tuple[str, ...]:
    """Return the names of `make_operands`."""
    return tuple(make_operands(1, "cpu"))


def functions_with_out(space: str) -> list[str]:
    """Return the names of the functions of a namespace whose documentation mentions `out=`."""
    return [
        f"{space}.{name}"
        for name, each in inspect.getmembers(NAMESPACES[space], callable)
        if not name.startswith("_") and not inspect.isclass(each) and DOCUMENTED.search(str(each.__doc__))
    ]


@cache
def find_call(name: str) -> OutCall | None:
    """Return the first call of that function that works with and without `out=`, or None."""
    operands = {label: tensor[0] for label, tensor in make_operands(1, "cpu").items()}
    kinds = (SPECIAL[name],) if name in SPECIAL else ARGUMENTS
    return next((call for call in (OutCall(name, kind) for kind in kinds) if _works(call, operands)), None)


def _works(call: OutCall, operands: Mapping[str, Tensor]) -> bool:
    return failure_message(lambda: call.run(operands, zeros_like_tree(call.run(operands))), call.name) is None


def zeros_like_tree(tree: Any) -> Any:
    """Return zeros for every tensor that a function returned."""
    return tree_map(torch.zeros_like, tuple(tree) if isinstance(tree, tuple) else tree)


def uncovered() -> list[str]:
    """Return the names of the functions that take `out=` and for which no call is known."""
    return [
        name
        for space in NAMESPACES
        for name in functions_with_out(space)
        if name not in EXCLUDED and not find_call(name)
    ]


def calls_of_namespace(space: str) -> Iterator[OutCall]:
    """Yield the calls of a namespace."""
    for name in functions_with_out(space):
        call = find_call(name)
        if call is not None and name not in EXCLUDED:
            yield call
