"""Random operations: a call on one member's tensor, and the single draw that is equivalent to all members' calls.

`x` is (3, 23), large enough that two members never draw the same by chance. Its numbers are from 0.1 to 0.9. A call is
Python source with these names: `x`, the device `d`, and in a stacked draw `n`, the number of members. {g} marks where
the call takes a generator.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, distributions, nn
from torch.nn import functional as F

from conformance.cases.data import draw
from conformance.cases.operations.compile_source import compile_function
from conformance.cases.operations.outcome import CallOutcome, failure_message
from conformance.numerics.assertions import refuses
from conformance.utils.probing import ask
from conformance.utils.pytree import leaves, tree_map
from conformance.utils.rng import restore

__tracebackhide__ = True  # a failing comparison is shown in the test that asks for it

SHAPE = (3, 23)
# The columns of the table: the randomness mode of vmap, and whether `x` is each member's own or shared.
OWN, SHARED = "own", "shared"
ALL_COLUMNS = tuple(f"{mode}, {whose}" for mode in ("same", "different") for whose in (OWN, SHARED))


def make_inputs(n: int, device: torch.device | str) -> Tensor:
    """Return `x` of `n` members, (n, 3, 23), from 0.1 to 0.9."""
    return draw(n, *SHAPE, device=device).sigmoid() * 0.8 + 0.1


def spatial(x: Tensor, k: int) -> Tensor:
    """Return `x` with `k` more dimensions of size 2."""
    return x.reshape(*x.shape, *[1] * k).repeat(*[1] * x.ndim, *[2] * k)


def image(x: Tensor, k: int) -> Tensor:
    """Return an image for each number of `x`, of size 9 in `k` dimensions."""
    pixels = torch.arange(9**k, device=x.device, dtype=x.dtype).reshape([9] * k)
    return x.reshape(*x.shape, *[1] * k) + pixels * 7 % 10


def rows(x: Tensor) -> Tensor:
    """Return 16 rows of `x`, (16, 3): the mean of a power of two is exact."""
    return x.mT[..., :16, :]


def _constant(module: nn.Module) -> nn.Module:
    for weight in module.parameters():
        nn.init.constant_(weight, 0.1)
    return module


with torch.random.fork_rng(devices=[]):
    # Made at import, because modules draw when they are made. Two layers, with dropout between them.
    NETWORKS = {
        name: _constant(kind(SHAPE[1], SHAPE[1], num_layers=2, dropout=0.5, **options))
        for name, kind, options in (
            ("gru", nn.GRU, {}),
            ("lstm", nn.LSTM, {}),
            ("rnn_tanh", nn.RNN, {}),
            ("rnn_relu", nn.RNN, {"nonlinearity": "relu"}),
        )
    }
    ATTENTION = _constant(nn.MultiheadAttention(SHAPE[0], 1, dropout=0.5))


def recurrent(name: str, x: Tensor) -> Tensor:
    """Run `x` through a recurrent network."""
    output: Tensor = NETWORKS[name].to(x.device)(x)[0]
    return output


def attention(x: Tensor) -> Tensor:
    """Run the columns of `x` through an attention layer."""
    columns = x.mT
    output: Tensor = ATTENTION.to(x.device)(columns, columns, columns)[0]
    return output


NAMES = {
    "torch": torch,
    "nn": nn,
    "F": F,
    "distributions": distributions,
    "spatial": spatial,
    "image": image,
    "rows": rows,
    "recurrent": recurrent,
    "attention": attention,
}


def member_inputs(x: Tensor, whose: str) -> list[Tensor]:
    """Return copies of each member's own `x`, or of the first member's for all."""
    return [each.clone() for each in (x if whose == OWN else x[:1].expand_as(x))]


def draw_with_vmap(
    implementation: Any, func: Callable[[Tensor], Any], x: Tensor, whose: str, mode: str, **options: Any
) -> Any:
    """Map `func` over each member's own `x`, or over the first member's for all; `x` itself does not change."""
    if whose == OWN:
        return implementation.vmap(func, randomness=mode, **options)(x.clone())
    mapped = implementation.vmap(lambda _, x: func(x), in_dims=(0, None), randomness=mode, **options)
    return mapped(x, x[0].clone())


def stack_values(values: Sequence[Any]) -> Any:
    """Stack the results of several calls."""
    return tree_map(lambda *each: torch.stack(each), *values)


def drawn_numbers(value: Any) -> Tensor:
    """Return the drawn numbers, which are the first leaf of an operation's result."""
    found: Tensor = next(leaves(value, "drawn"))[1]
    return found


@dataclass(frozen=True)
class RandomOperation:
    """A random operation.

    `member` is one member's call. `stacked` is the single draw for all members, unless it is the same call on the
    stacked `x`. `refuses` has the columns of the table in which a refusal is accepted, each with the words, a regex,
    one of which the refusal must name.
    """

    name: str
    member: str
    stacked: str = ""
    refuses: Mapping[str, str] = field(default_factory=dict, hash=False)
    _one: Callable[..., Any] = field(init=False, repr=False, compare=False)
    _all: Callable[..., Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_one", _function(self.member))
        object.__setattr__(self, "_all", _function(self.stacked or self.member))

    def one(self, x: Tensor, generator: torch.Generator | None = None) -> Any:
        """Return one member's draw; `x` is (3, 23)."""
        return _call(self._one, x, generator)

    def all(self, x: Tensor, generator: torch.Generator | None = None) -> Any:
        """Return a single draw for all members; `x` is (members, 3, 23)."""
        return _call(self._all, x, generator)

    @property
    def operation(self) -> str:
        """The operation's qualified name, without a remark in parentheses."""
        return self.name.partition(" ")[0]

    @property
    def native(self) -> str:
        """The operation's name without its namespace, which a refusal may mention."""
        return self.operation.rpartition(".")[2].rstrip("_")

    @property
    def takes_generator(self) -> bool:
        """True if the operation accepts a generator."""
        return "{g}" in self.member

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the error of the plain call on this device, or None if it works."""
        return ask(_failure_message, self, device, False)

    def __str__(self) -> str:
        return self.name


def was_accepted(outcome: CallOutcome, draw: RandomOperation, column: str) -> bool:
    """Return True if the call was accepted; fail on a refusal in a column, or with words, that are not expected."""
    if outcome.refusal is None:
        return True
    assert column in draw.refuses, f"refused: {outcome.refusal}"
    with refuses(draw.refuses[column]):
        outcome.value_or_raise()
    return False


def draw_from_state(draw: RandomOperation, x: Tensor, start: dict[str, Tensor]) -> Any:
    """Return one member's draw from that state of the generators."""
    restore(start)
    return draw.one(x.clone())


@dataclass(frozen=True)
class OperationWithGenerator:
    """A random operation that draws from a generator of the caller."""

    draw: RandomOperation

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the error of the plain call with a generator on this device, or None if it works."""
        return ask(_failure_message, self.draw, device, True)

    def __str__(self) -> str:
        return self.draw.name


def _function(code: str) -> Callable[..., Any]:
    return compile_function(code.format(g=", **g"), ("x", "d", "g", "n"), NAMES)


def _call(call: Callable[..., Any], x: Tensor, generator: torch.Generator | None) -> Any:
    return call(x, x.device, {} if generator is None else {"generator": generator}, len(x))


@cache
def _failure_message(draw: RandomOperation, device: torch.device, generated: bool) -> str | None:
    x = make_inputs(1, device)[0]
    return failure_message(
        lambda: draw.one(x, torch.Generator(device) if generated else None), f"{draw.name} can't be called on {device}"
    )
