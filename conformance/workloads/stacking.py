"""Stacked state by name, whichever form an implementation returns it in."""

from typing import Any

from torch import Tensor

from conformance.implementations.ensemble import name_tensors
from conformance.implementations.protocol import Implementation
from conformance.numerics.assertions import assert_slices
from conformance.utils.module_state import state_of


def stacked_state(implementation: Implementation, models: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the stacked parameters and buffers by name, and assert that none is missing."""
    _, params, buffers = implementation.combine(models)
    first = models[0]
    return name_tensors(params, list(first.named_parameters())), name_tensors(buffers, list(first.named_buffers()))


def assert_combines(implementation: Implementation, models: Any) -> None:
    """Assert that these members are combined correctly, for a call after a refusal."""
    params, buffers = stacked_state(implementation, models)
    assert_slices(params | buffers, [state_of(model) for model in models])
