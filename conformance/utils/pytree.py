"""Trees: tensors nested in tuples, lists, mappings, named tuples and dataclasses.

vmap takes and returns all of them but dataclasses and mappings other than dicts. torch's own pytree module is private,
and the reference must not rest on what it judges.
"""

import copy
import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

IsLeaf = Callable[[Any], bool]


class TreeLeaf:
    """The base of dataclasses that stand for one leaf of a tree."""


def children(tree: Any) -> list[tuple[Any, Any]] | None:
    """The (label, child) pairs of a container, or None for a leaf."""
    if isinstance(tree, Mapping):
        return list(tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(zip(tree._fields, tree, strict=True))
    if isinstance(tree, tuple | list):
        return list(enumerate(tree))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type | TreeLeaf):
        return [(each.name, getattr(tree, each.name)) for each in dataclasses.fields(tree) if hasattr(tree, each.name)]
    return None


def rebuild(tree: Any, values: list[Any]) -> Any:
    """A container of the same type and labels as `tree`, holding `values`."""
    if type(tree) in {dict, OrderedDict}:
        return type(tree)(zip(tree, values, strict=True))
    if isinstance(tree, Mapping):
        made: Any = copy.copy(tree)  # other mappings are made from other arguments
        for label, value in zip(tree, values, strict=True):
            made[label] = value
        return made
    if hasattr(tree, "_fields"):
        return type(tree)(*values)
    if isinstance(tree, tuple | list):
        return type(tree)(values)
    made = copy.copy(tree)
    for (label, _), value in zip(children(tree) or [], values, strict=True):
        object.__setattr__(made, label, value)  # a dataclass may be frozen
    return made


def tree_map(func: Callable[..., Any], tree: Any, *others: Any, is_leaf: IsLeaf | None = None) -> Any:
    """Apply `func` to the leaves of trees of one structure; ValueError where the structures differ.

    What `is_leaf` accepts in the first tree is not looked into.
    """
    pairs = None if is_leaf and is_leaf(tree) else children(tree)
    if pairs is None:
        return func(tree, *others)
    labels = [label for label, _ in pairs]
    columns = [[child for _, child in pairs]]
    for other in others:
        other_pairs = children(other)
        if type(other) is not type(tree) or other_pairs is None or [k for k, _ in other_pairs] != labels:
            raise ValueError(f"the structures differ: {describe_structure(tree)} against {describe_structure(other)}")
        columns.append([child for _, child in other_pairs])
    return rebuild(tree, [tree_map(func, *row, is_leaf=is_leaf) for row in zip(*columns, strict=True)])


def leaves(tree: Any, name: str, is_leaf: IsLeaf | None = None) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path, such as ``output['logits'][0]``."""
    pairs = None if is_leaf and is_leaf(tree) else children(tree)
    if pairs is None:
        yield name, tree
        return
    for label, child in pairs:
        yield from leaves(child, f"{name}[{label!r}]", is_leaf)


def describe_structure(tree: Any) -> str:
    """The structure in words: container types and labels, a star for each leaf."""
    pairs = children(tree)
    if pairs is None:
        return "*"
    return f"{type(tree).__name__}({', '.join(f'{label}={describe_structure(child)}' for label, child in pairs)})"


def as_dense(leaf: Any) -> Any:
    """Return a sparse tensor as a dense one, since torch compares no sparse ones; any other leaf as it is."""
    return leaf.to_dense() if isinstance(leaf, Tensor) and leaf.layout != torch.strided else leaf


def is_inexact(leaf: Any) -> bool:
    """Return whether a leaf is a tensor of floating or complex numbers."""
    return isinstance(leaf, Tensor) and (leaf.is_floating_point() or leaf.is_complex())
