"""Facts about a model: its class, size and mode, and the features that a suggested fix may depend on."""

from typing import Any

import torch

from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.shared_objects import shared_objects
from conformance.utils.module_state import state_of
from conformance.utils.text import type_name


def describe_model(case: LoadedModel) -> dict[str, Any]:
    """Return the facts about a loaded model that its report shows and its suggested fixes depend on."""
    first = case.made[0]
    state = state_of(first)
    return {
        "class": type_name(first),
        "holds": module_features(first),
        "parameters": sum(each.numel() for each in first.parameters()),
        "training": bool(first.training),
        "tensors": len(state),
        "equal": case.equal,
        "equal_members": case.equal_members,
        "problem": case.problem,
        "shared": shared_objects(case.made) if case.problem is None else [],
    }


def module_features(model: torch.nn.Module) -> list[str]:
    """Return the class names of a model's modules, and other features that a suggested fix may depend on."""
    modules = list(model.modules())
    hooked = any(module._backward_hooks for module in modules)  # noqa: SLF001 - torch has no public API for it
    return sorted({type_name(module) for module in modules} | ({"full backward hook"} if hooked else set()))
