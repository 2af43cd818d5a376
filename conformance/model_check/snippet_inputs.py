"""The inputs of the code that ensembles a model: names, code that makes them, and vmap's in_dims."""

import builtins
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.calls import split_arguments
from conformance.model_check.input_spec import RANGE
from conformance.model_check.options import Request

# Names that the code uses itself.
TAKEN = frozenset(
    (
        *("base", "buffer", "buffers", "call_member", "copy", "ensemble", "functional_call", "grad", "gradients", "i"),
        *("loss_of", "losses", "member_loss", "model", "models", "name", "optimizer", "output", "outputs", "parameter"),
        *("params", "stack_module_state", "torch", "vmap", *dir(builtins)),
    )
)


@dataclass(frozen=True)
class Argument:
    """One argument of forward. `keyword`: its name if it is passed by keyword. `dims`: its part of in_dims."""

    name: str
    code: str
    dims: str
    keyword: str = ""


def describe_arguments(
    model: nn.Module, minibatches: Sequence[tuple[Any, ...]], request: Request, device: torch.device
) -> list[Argument]:
    """Return the arguments of a call of the ensemble, given a minibatch for each member."""
    args, kwargs = split_arguments(minibatches[0])
    names = _positional_names(model, len(args))
    there = "" if device.type == "cpu" else f', device="{device}"'
    ranges = [RANGE.search(text) for text in request.inputs]
    found = []
    for i, (name, leaf) in enumerate(zip(names, args, strict=True)):
        limits = ranges[i] if len(ranges) == len(args) else None
        column = [each[i] for each in minibatches]
        found.append(_argument(name, column, there, (int(limits[1]), int(limits[2])) if limits else None, leaf))
    for key in kwargs:
        column = [split_arguments(each)[1][key] for each in minibatches]
        made = _argument(f"{key}_" if key in names else key, column, there, None, kwargs[key])
        found.append(Argument(made.name, made.code, made.dims, key))
    return found


def _argument(name: str, column: Sequence[Any], there: str, limits: tuple[int, int] | None, first: Any) -> Argument:
    code, dims = _code(column, there, limits)
    # vmap takes None for what is not mapped, whatever is in it.
    return Argument(name, code, dims if _has_tensor(first) else "None")


def _code(column: Sequence[Any], there: str, limits: tuple[int, int] | None) -> tuple[str, str]:
    """Return code that makes the values of one place for all members, and its in_dims."""
    first = column[0]
    if isinstance(first, Tensor):
        return _tensor_code(column, there, limits), "0"
    if type(first) is dict:
        parts = {key: _code([each[key] for each in column], there, limits) for key in first}
        made, dims = ("{" + ", ".join(f"{key!r}: {part[i]}" for key, part in parts.items()) + "}" for i in (0, 1))
        return made, dims
    if type(first) in (list, tuple):
        pieces = [_code([each[i] for each in column], there, limits) for i in range(len(first))]
        left, right = ("[", "]") if type(first) is list else ("(", ",)" if first else ")")
        return tuple(left + ", ".join(piece[i] for piece in pieces) + right for i in (0, 1))  # type: ignore[return-value]
    return repr(first), "None"


def _tensor_code(column: Sequence[Tensor], there: str, limits: tuple[int, int] | None) -> str:
    first = column[0]
    shape = (len(column), *first.shape)
    if first.is_floating_point() or first.is_complex():
        dtype = "" if first.dtype == torch.get_default_dtype() else f", dtype={first.dtype}"
        return f"torch.randn{shape}".replace(",)", ")").removesuffix(")") + f"{dtype}{there})"
    if first.dtype == torch.bool:
        return f"torch.rand{shape}".removesuffix(")") + f"{there}) < 0.5"
    low, high = limits or (min(int(each.min()) for each in column), max(int(each.max()) for each in column))
    dtype = "" if first.dtype == torch.int64 else f", dtype={first.dtype}"
    return f"torch.randint({low}, {high + 1}, {shape}{dtype}{there})"


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_tensor, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_tensor, value))
    return isinstance(value, Tensor)


def _positional_names(model: nn.Module, count: int) -> list[str]:
    """Return forward's names of its first arguments, or x, or x_0, x_1 and so on."""
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())[:count]
    except (TypeError, ValueError):
        parameters = []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [each.name for each in parameters if each.kind in positional]
    usable = len(names) == count and not TAKEN & set(names)
    return names if usable else ["x"] if count == 1 else [f"x_{i}" for i in range(count)]
