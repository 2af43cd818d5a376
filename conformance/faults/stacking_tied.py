"""Faults for the chapter `stacking`: tied weights."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from conformance.faults.base.fault import CallFault, Fault

Combined = tuple[Callable[..., Any], Any, Any]


class TiesForgotten(Fault):
    """Only the first name of a tied tensor gets the member's value."""

    breaks = "stacking.tied"
    also = ("calling.fmodel",)

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        _, params, buffers = self.inner.combine(models)
        base = copy.deepcopy(models[0]) if models else None

        def fmodel(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            return self.inner.functional_call(base, (params, buffers), args, kwargs, tie_weights=False)

        return fmodel, params, buffers


class MetaReadsAsZero(CallFault):
    """Tensors that the base module still has on meta are read as zero."""

    breaks = "stacking.tied_meta_base"
    also = ("stacking.tied_meta_base_strict",)
    judged_on = "reference"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        given = {name for one in (state if isinstance(state, tuple | list) else [state]) for name in one}
        zeros = {n: torch.zeros(p.shape) for n, p in module.named_parameters() if p.is_meta and n not in given}
        return self.inner.functional_call(module, (*state, zeros) if zeros else state, args, kwargs, **options)


class StrictForgotten(CallFault):
    """strict=True is ignored."""

    breaks = "stacking.tied_meta_base_strict"
    also = (
        "calling.restored_after_refusal",
        "calling.strict_refuses_unknown_keys",
        "calling.strict_refuses_missing_keys",
    )

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        return self.inner.functional_call(module, state, args, kwargs, **{**options, "strict": False})
