"""The minibatches in the file of ``--inputs``, and what functions of users return for minibatches."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from conformance.checks.calls import Shared, make_minibatch
from conformance.model_check.options import UsageError
from conformance.model_check.state_files import load_file
from conformance.utils.pytree import tree_map
from conformance.utils.text import type_name

Minibatch = tuple[Any, ...]
FORMS = "a tuple of arguments, a dict of keyword arguments or a tensor"


def load_minibatches(path: Path) -> list[Minibatch]:
    """Return the minibatches in a file: one for each member, or one alone. Raises UsageError."""
    content = load_file(path, "--inputs")
    if not isinstance(content, list):
        return [as_minibatch(content, f"--inputs {path}")]
    if not content:
        raise UsageError(f"--inputs {path}: the list is empty")
    return share_identical([as_minibatch(each, f"--inputs {path}") for each in content])


def as_minibatch(value: Any, where: str) -> Minibatch:
    """Return the minibatch that a tuple, a mapping of keyword arguments or a tensor means. Raises UsageError."""
    if isinstance(value, Tensor):
        return make_minibatch((value,), {})
    if isinstance(value, tuple):
        return make_minibatch(tuple(value), {})
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        try:
            return make_minibatch((), value)
        except ValueError as error:  # no name of a field of a named tuple
            raise UsageError(f"{where}: {error}") from error
    raise UsageError(f"{where}: expected {FORMS}, got {type_name(value)}")


def share_identical(minibatches: list[Minibatch]) -> list[Minibatch]:
    """Return the minibatches with each tensor marked as shared that is the same object in all of them.

    If all tensors are, it is one minibatch that was made once, and each member has its own copy. Raises UsageError if
    the structures differ.
    """
    first, *rest = minibatches
    try:
        same = tree_map(_is_one_tensor, *minibatches)
    except ValueError as error:
        raise UsageError(f"the inputs of two members differ: {error}") from error
    own: list[Tensor] = []
    tree_map(lambda leaf, is_same: own.append(leaf) if isinstance(leaf, Tensor) and not is_same else None, first, same)
    if not rest or not own:
        return minibatches
    return [tree_map(lambda leaf, is_same: Shared(leaf) if is_same else leaf, each, same) for each in minibatches]


def _is_one_tensor(leaf: Any, *others: Any) -> bool:
    return isinstance(leaf, Tensor) and all(leaf is each for each in others)
