"""The reference for stacking members, and the plain loop that an ensemble replaces."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.reference.compatibility import difference
from conformance.reference.functional_call import State, functional_call
from conformance.utils.module_state import copy_module


def combine(
    models: Sequence[nn.Module],
) -> tuple[Callable[..., Any], dict[str, Tensor], dict[str, Tensor]]:
    """Stack the members' parameters and buffers by name; `fmodel(params, buffers, *args)` runs one member's slice.

    Raises ValueError if there is no member, or if two differ in anything but the values of their tensors.
    """
    models = list(models)
    if not models:
        raise ValueError("expected at least one model, got 0")
    differs = difference(models)
    if differs is not None:
        raise ValueError(f"the members are not alike: {differs}")
    base = copy_module(models[0])

    def fmodel(params: State, buffers: State, *args: Any, **kwargs: Any) -> Any:
        return functional_call(base, (params, buffers), args, kwargs)

    params = {
        name: torch.stack([model.get_parameter(name) for model in models]).detach().requires_grad_(first.requires_grad)
        for name, first in base.named_parameters()
    }
    buffers = {
        name: torch.stack([model.get_buffer(name) for model in models]).detach() for name, _ in base.named_buffers()
    }
    return fmodel, params, buffers


def ensemble(models: Sequence[nn.Module], inputs: Sequence[Any]) -> list[Any]:
    """The for-loop that an ensemble replaces: member i on input i."""
    return [model(x) for model, x in zip(models, inputs, strict=True)]
