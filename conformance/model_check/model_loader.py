"""Loading of a user's model by import, which runs its code; its factory is called once for each member."""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from conformance.cases.inputs import draw_minibatches
from conformance.model_check.input_spec import DTYPES, parse_input
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.options import Request, UsageError
from conformance.utils.module_state import state_of
from conformance.utils.pytree import tree_map
from conformance.utils.text import describe_error, type_name


def load_model(request: Request) -> LoadedModel:
    """Import the model, make its members, and parse its inputs. Raises UsageError."""
    module_name, _, _ = request.model.partition(":")
    factory = _load_attribute(request.model)
    made = [_make_member(factory, request.model) for _ in range(request.members)]
    names = [each for each in request.inputs if _is_function(each)]
    if names and len(request.inputs) > 1:
        raise UsageError(f"--input {names[0]}: a function makes all arguments, so no other --input is allowed")
    if names:
        name = names[0].removeprefix(":")
        text = name if ":" in name else f"{module_name}:{name}"
        return LoadedModel(request.model, made, _minibatches_from(_load_attribute(text), text))
    inputs = tuple(parse_input(text, request.batch) for text in request.inputs)
    return LoadedModel(request.model, made, lambda n, device, dtype: draw_minibatches(inputs, n, device, dtype))


def _is_function(text: str) -> bool:
    """Return True for the name of a function, False for a shape."""
    name = text.removeprefix(":")
    return name not in DTYPES and all(part.isidentifier() for part in name.replace(":", ".").split("."))


def _load_attribute(text: str) -> Callable[[], Any]:
    module_name, colon, attribute = text.partition(":")
    if not colon:
        raise UsageError(f"invalid model {text!r} (expected package.module:name)")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except BaseException as error:  # SystemExit as well
        raise UsageError(f"can't import {text}: {describe_error(error)}") from error
    if not callable(found):
        raise UsageError(f"{text} is not callable")
    return found


def _make_member(factory: Callable[[], Any], text: str) -> nn.Module:
    model = _call(factory, text)
    if not isinstance(model, nn.Module):
        raise UsageError(f"{text}(): expected a torch.nn.Module, got {type_name(model)}")
    if any(isinstance(each, UninitializedParameter | UninitializedBuffer) for each in state_of(model).values()):
        raise UsageError(f"{text}() returns a lazy module: call it once on an input, which initializes its parameters")
    return model


def _call(function: Callable[[], Any], text: str) -> Any:
    try:
        return function()
    except BaseException as error:  # SystemExit as well
        raise UsageError(f"{text}() raises {describe_error(error)}") from error


def _minibatches_from(make: Callable[[], Any], text: str) -> Callable[..., list[tuple[Any, ...]]]:
    def draw(n: int, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        def ready(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            return leaf.to(device, dtype) if leaf.is_floating_point() else leaf.to(device)

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(torch.initial_seed() ^ 0x5EED)
            given = [_call(make, text) for _ in range(n)]
        if not all(isinstance(each, tuple) for each in given):
            raise UsageError(f"{text}(): expected a tuple of arguments, got {type_name(given[0])}")
        return [tree_map(ready, each) for each in given]

    return draw
