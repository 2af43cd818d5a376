"""Calls of a model with one minibatch: a tuple of positional arguments, with keyword arguments as the last item.

A minibatch holds only containers that every vmap looks into: `make_minibatch` puts a named tuple in the place of
keyword arguments, dataclasses and other mappings, and `split_arguments` restores them for the call.
"""

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from conformance.utils.pytree import children, leaves, rebuild, tree_map


class Shared(NamedTuple):
    """A tensor or a tree in a minibatch that all members are given: it is not mapped, differentiated or perturbed."""

    value: Any


def make_minibatch(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a minibatch that `call_model` passes as these arguments.

    Raises ValueError for a keyword that can't be the field of a named tuple: it begins with an underscore.
    """
    packed = tuple(_pack(each) for each in args)
    return (*packed, _keywords_type(tuple(kwargs))(*map(_pack, kwargs.values()))) if kwargs else packed


def split_arguments(x: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments of a minibatch."""
    if not any(isinstance(each, tuple | list | dict) for each in x):
        return x, {}
    if getattr(type(x[-1]), "_fields", None) and type(x[-1]) is _keywords_type(type(x[-1])._fields):
        return tuple(map(_unpack, x[:-1])), {name: _unpack(value) for name, value in x[-1]._asdict().items()}
    return tuple(map(_unpack, x)), {}


def call_model(model: nn.Module, x: tuple[Any, ...]) -> Any:
    """Return the output of a module for a minibatch."""
    args, kwargs = split_arguments(x)
    return model(*args, **kwargs)


def call_member(member: Callable[..., Any], params: Any, buffers: Any, x: tuple[Any, ...]) -> Any:
    """Return the output of a member's forward `member(params, buffers, *args, **kwargs)` for a minibatch."""
    args, kwargs = split_arguments(x)
    return member(params, buffers, *args, **kwargs)


def map_own(func: Callable[..., Any], x: Any, *others: Any) -> Any:
    """Apply `func` to the leaves of minibatches that are not shared; those that are shared stay the first's."""
    return tree_map(
        lambda leaf, *more: leaf if isinstance(leaf, Shared) else func(leaf, *more), x, *others, is_leaf=_is_shared
    )


def own_leaves(x: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a minibatch that are not shared, each with its path."""
    return ((name, leaf) for name, leaf in leaves(x, "input", _is_shared) if not isinstance(leaf, Shared))


def mapped_dims(x: Any) -> Any:
    """Return vmap's in_dims for a stacked minibatch: 0 for each tensor of the members' own, None for all else."""

    def dim(leaf: Any) -> Any:
        if isinstance(leaf, Shared):
            return tree_map(lambda _: None, leaf)
        return 0 if isinstance(leaf, Tensor) else None

    return tree_map(dim, x, is_leaf=_is_shared)


def stack_minibatches(minibatches: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the minibatches as one: their own tensors have shape (members, *shape), what is shared is the first's."""
    return map_own(lambda leaf, *more: torch.stack([leaf, *more]) if isinstance(leaf, Tensor) else leaf, *minibatches)


def share_first(minibatches: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the minibatches with the first one's shared tensors in all of them."""
    return [map_own(lambda _, leaf: leaf, minibatches[0], each) for each in minibatches]


def _is_shared(tree: Any) -> bool:
    return isinstance(tree, Shared)


@cache
def _keywords_type(names: tuple[str, ...]) -> type[Any]:
    return namedtuple("Keywords", names)  # noqa: PYI024 - vmap takes no subclass of it


# The named tuple for each class and labels of a packed container, and such a container by its named tuple.
_RECORDS: dict[tuple[type, tuple[Any, ...]], type[Any]] = {}
_TEMPLATES: dict[type, Any] = {}


def _pack(tree: Any) -> Any:
    """Return the tree with a named tuple in place of each container that vmap does not look into."""
    pairs = children(tree)
    if pairs is None:
        return tree
    values = [_pack(child) for _, child in pairs]
    if type(tree) in {dict, OrderedDict, list, tuple} or hasattr(tree, "_fields"):
        return rebuild(tree, values)
    key = type(tree), tuple(label for label, _ in pairs)
    if key not in _RECORDS:
        _RECORDS[key] = namedtuple(type(tree).__name__, [f"field{i}" for i in range(len(pairs))])  # noqa: PYI024
        _TEMPLATES[_RECORDS[key]] = rebuild(tree, [None] * len(pairs))
    return _RECORDS[key](*values)


def _unpack(tree: Any) -> Any:
    if isinstance(tree, Shared):
        return _unpack(tree.value)
    pairs = children(tree)
    if pairs is None:
        return tree
    return rebuild(_TEMPLATES.get(type(tree), tree), [_unpack(child) for _, child in pairs])
