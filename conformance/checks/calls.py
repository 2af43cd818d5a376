"""Calls of a model with one minibatch: positional arguments, and keyword arguments as the last item."""

from collections import namedtuple
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from torch import nn


def make_minibatch(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a minibatch that `call_model` passes as these arguments.

    The keyword arguments are one named tuple at the end, since vmap and `utils.pytree` both look into named tuples.
    """
    return (*args, _keywords_type(tuple(kwargs))(*kwargs.values())) if kwargs else args


def split_arguments(x: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments of a minibatch."""
    if x and getattr(type(x[-1]), "_fields", None) and type(x[-1]) is _keywords_type(type(x[-1])._fields):
        return x[:-1], x[-1]._asdict()
    return x, {}


def call_model(model: nn.Module, x: tuple[Any, ...]) -> Any:
    """Return the output of a module for a minibatch."""
    args, kwargs = split_arguments(x)
    return model(*args, **kwargs)


def call_member(member: Callable[..., Any], params: Any, buffers: Any, x: tuple[Any, ...]) -> Any:
    """Return the output of a member's forward `member(params, buffers, *args, **kwargs)` for a minibatch."""
    args, kwargs = split_arguments(x)
    return member(params, buffers, *args, **kwargs)


@cache
def _keywords_type(names: tuple[str, ...]) -> type[Any]:
    return namedtuple("Keywords", names)  # noqa: PYI024 - vmap takes no subclass of it
