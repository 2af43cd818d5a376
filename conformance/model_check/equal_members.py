"""Members that hold the same numbers."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from conformance.utils.module_state import state_of
from conformance.utils.pytree import is_inexact

MOST = 5  # groups that a message lists


def equal_groups(models: Sequence[nn.Module]) -> list[list[int]]:
    """Return the indices of members whose floating parameters and buffers are all equal, in groups of two or more."""
    states = [_numbers(model) for model in models]
    groups: list[list[int]] = []
    for i, state in enumerate(states):
        same = next((group for group in groups if state and _are_equal(state, states[group[0]])), None)
        if same is None:
            groups.append([i])
        else:
            same.append(i)
    return [group for group in groups if len(group) > 1]


def describe_groups(groups: Sequence[Sequence[int]]) -> str:
    """Return "members 0 and 3 are equal", with more groups after a semicolon, or "" if there is none."""
    shown = [f"members {', '.join(map(str, group[:-1]))} and {group[-1]} are equal" for group in groups[:MOST]]
    more = [f"and {len(groups) - MOST} more groups"] if len(groups) > MOST else []
    return "; ".join([*shown, *more])


def _numbers(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state_of(model).items() if is_inexact(tensor)}


def _are_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(are_equal_tensors(tensor, other[name]) for name, tensor in one.items())


def are_equal_tensors(one: Tensor, other: Tensor) -> bool:
    """Return whether both hold the same numbers; False where they have none, or none that torch can compare."""
    if one.shape != other.shape or one.is_meta:
        return False
    try:
        return torch.equal(*(each.to_dense() if each.is_sparse else each for each in (one, other)))
    except Exception:  # noqa: BLE001 - torch compares neither every layout nor every dtype
        return False
