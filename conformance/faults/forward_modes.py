"""Faults for the chapter `forward`: train and eval mode."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from conformance.faults.base.fault import Fault
from conformance.utils.pytree import tree_map


class AlwaysInTrainMode(Fault):
    """The members always run in train mode."""

    breaks = "forward.eval_mode"
    also = (
        "forward.arguments_unchanged",
        "forward.train_mode",
        "stacking.refuses_mixed_modes",
        "calling.fmodel",
        "calling.fmodel_after_changes",
    )

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        modes = [(module, module.training) for model in models for module in model.modules()]
        try:
            return self.inner.combine([model.train() for model in models])
        finally:
            for module, training in modes:
                module.training = training


class BufferUpdatesLost(Fault):
    """The call works on copies of the buffers."""

    breaks = "forward.train_mode"

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        return in_dims, (args[0], tree_map(torch.clone, args[1]), *args[2:])
