"""Trees: tensors nested in tuples, lists, dicts and named tuples, as vmap takes and returns them.

torch's own pytree module is private, and the reference must not rest on what it judges.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def children(tree: Any) -> list[tuple[Any, Any]] | None:
    """The (label, child) pairs of a container, or None for a leaf."""
    if isinstance(tree, Mapping):
        return list(tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(zip(tree._fields, tree, strict=True))
    if isinstance(tree, tuple | list):
        return list(enumerate(tree))
    return None


def rebuild(tree: Any, values: list[Any]) -> Any:
    """A container of the same type and labels as `tree`, holding `values`."""
    if isinstance(tree, Mapping):
        return type(tree)(zip(tree, values, strict=True))  # type: ignore[call-arg]
    if hasattr(tree, "_fields"):
        return type(tree)(*values)
    return type(tree)(values)


def tree_map(func: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply `func` to the leaves of trees of one structure; ValueError where the structures differ."""
    pairs = children(tree)
    if pairs is None:
        return func(tree, *others)
    labels = [label for label, _ in pairs]
    columns = [[child for _, child in pairs]]
    for other in others:
        other_pairs = children(other)
        if type(other) is not type(tree) or other_pairs is None or [k for k, _ in other_pairs] != labels:
            raise ValueError(f"the structures differ: {describe_structure(tree)} against {describe_structure(other)}")
        columns.append([child for _, child in other_pairs])
    return rebuild(tree, [tree_map(func, *row) for row in zip(*columns, strict=True)])


def leaves(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path, such as ``output['logits'][0]``."""
    pairs = children(tree)
    if pairs is None:
        yield name, tree
        return
    for label, child in pairs:
        yield from leaves(child, f"{name}[{label!r}]")


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
