"""Parsing of ``--input``, which describes an argument of a minibatch, or names a function that makes all of them.

3x32x32             standard normal numbers, (batch, 3, 32, 32), in the dtype of the model
3:complex128        standard normal numbers of another dtype
17:0..999           integers (int64) from 0 to 999, (batch, 17)
17:int32:0..999     integers of another dtype
17:bool             True or False
:0..9               one integer for each sample, (batch,)
unbatched:2x40:0..9 the whole shape, without a dimension of samples in front, (2, 40)
shared:2x40:0..9    likewise, and all members get the same tensor
mask=17:bool        the argument of that name
graph.nodes=5x3     an item of the dict that is the argument of that name
:make_inputs        a function in the model's module (or another.module:make_inputs): called once for each member,
                    it returns a tuple of all positional arguments, a dict of keyword arguments, or a tensor
"""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from conformance.cases.inputs import Input, booleans, floats
from conformance.checks.calls import Shared
from conformance.model_check.options import UsageError
from conformance.utils.suggestions import invalid_choice

NAME = re.compile(r"(?:([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?=)?(.*)", re.DOTALL)
UNBATCHED, SHARED = "unbatched:", "shared:"
SHAPE = re.compile(r"(\d+(?:x\d+)*)?")
RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
DTYPES = {
    name: getattr(torch, name)
    for name in (
        *("float64", "float32", "float16", "bfloat16", "complex128", "complex64"),
        *("int64", "int32", "int16", "int8", "uint8", "bool"),
    )
}


def is_function(text: str) -> bool:
    """Return True for the name of a function, False for the description of an argument."""
    name = text.removeprefix(":")
    return name not in DTYPES and all(part.isidentifier() for part in name.replace(":", ".").split("."))


def parse_arguments(texts: Sequence[str], batch: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments that are described, with an Input for each tensor.

    Raises UsageError.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for text in texts:
        match = NAME.fullmatch(text)
        name, item, described = match.groups() if match else (None, None, text)
        value = _parse_value(described, batch)
        if name is None:
            args.append(value)
            continue
        holder = kwargs.setdefault(name, {}) if item else kwargs
        if not isinstance(holder, dict) or (item or name) in holder:
            raise UsageError(f"--input {text}: the argument {name} is described twice")
        holder[item or name] = value
    return tuple(args), kwargs


def _parse_value(text: str, batch: int) -> Any:
    """Return an Input, in `Shared` if all members get the same."""
    if text.startswith(SHARED):
        return Shared(parse_input(text.removeprefix(SHARED), None))
    if text.startswith(UNBATCHED):
        return parse_input(text.removeprefix(UNBATCHED), None)
    return parse_input(text, batch)


def parse_input(text: str, batch: int | None) -> Input:
    """Return the Input that `text` describes; its first dimension is `batch` unless that is None. Raises UsageError."""
    shape_text, *rest = text.split(":")
    shape = SHAPE.fullmatch(shape_text)
    range_ = RANGE.fullmatch(rest[-1]) if rest else None
    names = rest[:-1] if range_ else rest
    if shape is None or len(names) > 1 or (not rest and not shape_text):
        raise UsageError(
            f"--input: invalid value {text!r} (expected a form like 3x32x32, 17:0..999, 17:int32:0..999 or 17:bool)"
        )
    name = names[0] if names else "int64" if range_ else None
    if name is not None and name not in DTYPES:
        raise UsageError(f"--input {text}: {invalid_choice(name, DTYPES)}")
    dtype = DTYPES[name] if name else None
    whole = dtype is not None and not dtype.is_floating_point and not dtype.is_complex and dtype != torch.bool
    if whole != bool(range_):
        raise UsageError(
            f"--input {text}: expected a range such as 0..999 for an integer dtype, and for no other dtype"
        )
    sizes = tuple(int(size) for size in shape_text.split("x") if size)
    sizes = sizes if batch is None else (batch, *sizes)
    if range_:
        low, high = int(range_[1]), int(range_[2])
        if low > high:
            raise UsageError(f"--input {text}: the range is empty")
        return _FixedDtypeInput(lambda generator: torch.randint(low, high + 1, sizes, generator=generator).to(dtype))
    if dtype is None:
        return floats(*sizes)
    if dtype == torch.bool:
        return booleans(*sizes)
    drawn = torch.complex64 if dtype.is_complex else torch.float32
    return _FixedDtypeInput(lambda generator: torch.randn(sizes, generator=generator, dtype=drawn).to(dtype))


class _FixedDtypeInput(Input):
    """An input with a fixed dtype, independent of the dtype of the model."""

    def draw(self, generator: torch.Generator, device: torch.device | str, dtype: torch.dtype) -> Tensor:  # noqa: ARG002
        return self.make(generator).to(device)
