"""Facts about a model: its class, size and mode, and the features that a suggested fix may depend on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.shared_objects import shared_objects
from conformance.utils.module_state import all_named_buffers, all_named_parameters, state_of
from conformance.utils.text import type_name

PLAIN = (bool, int, float, complex, str)


def describe_model(case: LoadedModel) -> dict[str, Any]:
    """Return the facts about a loaded model that its report shows and its suggested fixes depend on."""
    first = case.made[0]
    state = state_of(first)
    return {
        "class": type_name(first),
        "holds": [*module_features(first), *member_features(case.made)],
        "parameters": sum(each.numel() for each in first.parameters()),
        "training": bool(first.training),
        "tensors": len(state),
        "equal": case.equal,
        "equal_members": case.equal_members,
        "problem": case.problem,
        "shared": shared_objects(case.made) if case.problem is None else [],
    }


def module_features(model: nn.Module) -> list[str]:
    """Return the class names of a model's modules, and the features that a suggested fix may depend on."""
    modules = list(model.modules())
    features = {word for word, has in FEATURES.items() if any(has(module) for module in modules)}
    named = [*all_named_parameters(model), *all_named_buffers(model)]
    if len({id(tensor) for _, tensor in named}) < len(named):
        features.add("tied tensors")
    return sorted({type_name(module) for module in modules} | features)


def member_features(models: Sequence[nn.Module]) -> list[str]:
    """Return "attributes differ" if members have plain numbers, texts or tensors that are not equal.

    An ensemble runs the first member's code with the others' parameters and buffers, so that it uses the first's.
    """
    first, *others = [dict(_attributes(model)) for model in models]
    return ["attributes differ"] if any(_differ(first, other) for other in others) else []


def _attributes(model: nn.Module) -> Iterator[tuple[str, Any]]:
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, (*PLAIN, Tensor)):
                yield f"{path}.{name}", value


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() != other.keys() or any(not _equal(value, other[name]) for name, value in one.items())


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and _same_numbers(one, other)
    return type(one) is type(other) and one == other


def _same_numbers(one: Tensor, other: Tensor) -> bool:
    try:
        return torch.equal(one, other)
    except RuntimeError:  # such as sparse tensors, or tensors on meta
        return True


def _hook_kinds(module: nn.Module) -> set[str]:
    """Return the classes of the forward pre-hooks, by which the old weight_norm and spectral_norm work."""
    return {type_name(hook) for hook in module._forward_pre_hooks.values()}  # noqa: SLF001 - torch has no public API


# Features of a module, by the words that remedies.toml knows them by.
FEATURES: Mapping[str, Callable[[nn.Module], bool]] = {
    "attention": lambda module: isinstance(module, nn.MultiheadAttention | nn.TransformerEncoderLayer),
    "full backward hook": lambda module: bool(module._backward_hooks),  # noqa: SLF001 - torch has no public API for it
    "momentum=None": lambda module: getattr(module, "momentum", 0) is None,
    "padding_idx": lambda module: getattr(module, "padding_idx", None) is not None,
    "plain tensor": lambda module: any(isinstance(each, Tensor) for each in vars(module).values()),
    "sparse=True": lambda module: getattr(module, "sparse", None) is True,
    "spectral_norm": lambda module: "SpectralNorm" in _hook_kinds(module) or type_name(module) == "_SpectralNorm",
    "weight_norm (old)": lambda module: "WeightNorm" in _hook_kinds(module),
}
