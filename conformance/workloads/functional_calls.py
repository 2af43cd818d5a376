"""Calls of one module with the state of another one, and modules made for them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.members import members
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.utils.module_state import state_of
from conformance.workloads.forward import forward


class Affine(nn.Module):
    """A module that takes arguments of every kind and returns x * weight * scale + shift."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self, x: Any, scale: float = 1.0, *, shift: Any = 0.0) -> Any:
        x = x[0] if isinstance(x, list) else x
        return x * self.weight * scale + shift


def make_two(factory: Callable[[], nn.Module], **options: Any) -> tuple[nn.Module, nn.Module]:
    """Return a module, and another one of its class whose state it is called with, both in eval mode."""
    module, other = members(factory, 2, **options)
    return module.eval(), other.eval()


def state_names(factory: Callable[[], nn.Module]) -> list[str]:
    """Return the names of the parameters and buffers of a module."""
    return list(state_of(members(factory, 1)[0]))


def copied_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state in new memory, detached."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def member_slice(stacked: Any, i: int) -> Any:
    """Return slice i of each stacked tensor, in a dict or a tuple as they are given."""
    if isinstance(stacked, dict):
        return {name: tensor[i] for name, tensor in stacked.items()}
    return tuple(tensor[i] for tensor in stacked)


def assert_output_of(out: Tensor, model: nn.Module, x: Any) -> None:
    """Assert that `out` is the output of `model` for x."""
    assert_members_close(out[None], loop(forward, [model], [x]))
