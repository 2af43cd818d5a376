"""The public classes of torch.nn and functions of torch.nn.functional that the catalogue does not cover.

They are read from the installed torch, so that additions of a new release are reported.
"""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from torch import nn
from torch.nn import functional as F

from conformance.cases.modules.catalogue import CATALOGUE

EXCLUDED_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "Container": "a deprecated base class without a forward",
        "DataParallel": "it copies a module to several devices, while an ensemble is on one",
        "RNNBase": "the base class of RNN, LSTM and GRU, without a forward",
        "RNNCellBase": "the base class of RNNCell, LSTMCell and GRUCell, without a forward",
    }
)
_EIGHT_BITS = "it takes only 8-bit numbers, on a GPU"
_OVERRIDES = "it dispatches to subclasses of Tensor, and computes nothing"
EXCLUDED_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "assert_int_or_pair": "it checks an argument",
        "boolean_dispatch": "it chooses between two functions, for TorchScript",
        "handle_torch_function": _OVERRIDES,
        "has_torch_function": _OVERRIDES,
        "has_torch_function_unary": _OVERRIDES,
        "has_torch_function_variadic": _OVERRIDES,
        "grouped_mm": "it does not support 64-bit numbers, and is meant for a GPU",
        "scaled_addmm": _EIGHT_BITS,
        "scaled_addmm_": _EIGHT_BITS,
        "scaled_grouped_mm": _EIGHT_BITS,
        "scaled_mm": _EIGHT_BITS,
    }
)
# The module that calls a function, where their names differ.
MODULE_OF_FUNCTION: Mapping[str, str] = MappingProxyType(
    {
        "binary_cross_entropy": "BCELoss",
        "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
        "instance_norm": "InstanceNorm2d",
        "upsample_bilinear": "UpsamplingBilinear2d",
        "upsample_nearest": "UpsamplingNearest2d",
    }
)
# The suffix of a function's name, and the option in the name of the module's case that calls it.
OPTION_OF_SUFFIX: Mapping[str, str] = MappingProxyType({"": "", "_": "-inplace", "_with_indices": "-indices"})


def public_classes() -> dict[str, type]:
    """Return the public module classes of this torch by name."""
    named = {name: getattr(nn, name) for name in dir(nn) if not name.startswith("_")}
    return {name: cls for name, cls in named.items() if inspect.isclass(cls) and issubclass(cls, nn.Module)}


def uncovered_classes() -> list[str]:
    """Return the names of the classes that have no case and are not excluded."""
    return sorted(public_classes().keys() - _names_with_a_case() - EXCLUDED_CLASSES.keys())


def public_functions() -> dict[str, Callable[..., Any]]:
    """Return the public functions of torch.nn.functional by name, without its imports from typing."""
    named = {name: getattr(F, name) for name in dir(F) if not name.startswith("_")}
    return {
        name: each
        for name, each in named.items()
        if callable(each) and not inspect.isclass(each) and getattr(each, "__module__", "") != "typing"
    }


def uncovered_functions() -> list[str]:
    """Return the names of the functions that have no case, nor a case of their module, and are not excluded."""
    names = public_functions().keys() - _names_with_a_case() - EXCLUDED_FUNCTIONS.keys()
    return sorted(name for name in names if not _called_by_a_module(name))


def _names_with_a_case() -> set[str]:
    return {case.name.split("-")[0] for case in CATALOGUE}


def _called_by_a_module(name: str) -> bool:
    plain = name.removesuffix("_with_indices").removesuffix("_")
    module, option = _normalize(MODULE_OF_FUNCTION.get(plain, plain)), OPTION_OF_SUFFIX[name.removeprefix(plain)]
    return any(_normalize(case.name.split("-")[0]) == module and option in case.name for case in CATALOGUE)


def _normalize(name: str) -> str:
    """Return the same name for a class and its function: CrossEntropyLoss and cross_entropy, KLDivLoss and kl_div."""
    return name.replace("_", "").lower().removesuffix("loss")
