"""Has every public class of torch.nn a case, and every public function of torch.nn.functional a case or a module?

Asked of the torch that is installed, so that a new release can't add one unseen.
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
        "Container": "a base that torch has deprecated; it has no forward",
        "DataParallel": "it copies one module to several devices, which is no part of an ensemble on one",
        "RNNBase": "the base of RNN, LSTM and GRU; it has no forward",
        "RNNCellBase": "the base of RNNCell, LSTMCell and GRUCell; it has no forward",
    }
)
_EIGHT_BITS = "it takes 8-bit numbers on a GPU only"
_OVERRIDES = "it lets a subclass of Tensor take over, and computes nothing"
EXCLUDED_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "assert_int_or_pair": "it checks an argument",
        "boolean_dispatch": "it chooses between two functions, for TorchScript",
        "handle_torch_function": _OVERRIDES,
        "has_torch_function": _OVERRIDES,
        "has_torch_function_unary": _OVERRIDES,
        "has_torch_function_variadic": _OVERRIDES,
        "grouped_mm": "it takes no 64-bit numbers, and is for products of many sizes on a GPU",
        "scaled_addmm": _EIGHT_BITS,
        "scaled_addmm_": _EIGHT_BITS,
        "scaled_grouped_mm": _EIGHT_BITS,
        "scaled_mm": _EIGHT_BITS,
    }
)
# Of the others the module's name says which function it calls.
MODULE_OF_FUNCTION: Mapping[str, str] = MappingProxyType(
    {
        "binary_cross_entropy": "BCELoss",
        "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
        "instance_norm": "InstanceNorm2d",
        "upsample_bilinear": "UpsamplingBilinear2d",
        "upsample_nearest": "UpsamplingNearest2d",
    }
)
# How the name of a function ends, and what the case of its module that calls it is called.
OPTION_OF_SUFFIX: Mapping[str, str] = MappingProxyType({"": "", "_": "-inplace", "_with_indices": "-indices"})


def public_classes() -> dict[str, type]:
    """The public module classes of this torch, by name."""
    named = {name: getattr(nn, name) for name in dir(nn) if not name.startswith("_")}
    return {name: cls for name, cls in named.items() if inspect.isclass(cls) and issubclass(cls, nn.Module)}


def uncovered_classes() -> list[str]:
    """Classes without a case and without a reason."""
    return sorted(public_classes().keys() - _names_with_a_case() - EXCLUDED_CLASSES.keys())


def public_functions() -> dict[str, Callable[..., Any]]:
    """The public functions of this torch's torch.nn.functional, by name: what it imports for its types is none."""
    named = {name: getattr(F, name) for name in dir(F) if not name.startswith("_")}
    return {
        name: each
        for name, each in named.items()
        if callable(each) and not inspect.isclass(each) and getattr(each, "__module__", "") != "typing"
    }


def uncovered_functions() -> list[str]:
    """Functions without a case, without a case of their module, and without a reason."""
    names = public_functions().keys() - _names_with_a_case() - EXCLUDED_FUNCTIONS.keys()
    return sorted(name for name in names if not _called_by_a_module(name))


def _names_with_a_case() -> set[str]:
    return {case.name.split("-")[0] for case in CATALOGUE}


def _called_by_a_module(name: str) -> bool:
    plain = name.removesuffix("_with_indices").removesuffix("_")
    module, option = _normalize(MODULE_OF_FUNCTION.get(plain, plain)), OPTION_OF_SUFFIX[name.removeprefix(plain)]
    return any(_normalize(case.name.split("-")[0]) == module and option in case.name for case in CATALOGUE)


def _normalize(name: str) -> str:
    """Alike for a class and its function: CrossEntropyLoss and cross_entropy, KLDivLoss and kl_div."""
    return name.replace("_", "").lower().removesuffix("loss")
