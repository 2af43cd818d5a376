"""Loading of a user's model by import, which runs its code; its factory is called once for each member."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from conformance.cases.inputs import draw_minibatches
from conformance.cases.modules.case import vary
from conformance.model_check.input_spec import DTYPES, parse_input
from conformance.model_check.options import Request, UsageError
from conformance.utils.module_state import copy_module, move_module, state_of
from conformance.utils.pytree import is_inexact, tree_map
from conformance.utils.text import describe_error, type_name


@dataclass
class LoadedModel:
    """A user's model as a case. `made`: the members as returned by the factory; `draw`: makes minibatches."""

    name: str
    made: Sequence[nn.Module]
    draw: Callable[[int, torch.device | str, torch.dtype], list[tuple[Any, ...]]]

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """Return `n` copies of the members; every tensor differs between members."""
        return [move_module(copy_module(model), device, dtype) for model in islice(cycle(self._distinct), n)]

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """Return a minibatch for each of `n` members."""
        return self.draw(n, device, dtype)

    @cached_property
    def equal(self) -> list[str]:
        """The names of inexact parameters and buffers that are equal in two members."""
        states = [state_of(model) for model in self.made]
        return [
            name
            for name, first in states[0].items()
            if is_inexact(first)
            and any(_equal_numbers(states[i], states[j], name) for i in range(len(states)) for j in range(i))
        ]

    @property
    def problem(self) -> str | None:
        """The reason why these members are no useful ensemble, or None."""
        if len({id(model) for model in self.made}) < len(self.made):
            return "the factory returns the same module each time, so that all share one state"
        inexact = [name for name, tensor in state_of(self.made[0]).items() if is_inexact(tensor)]
        if len(self.made) > 1 and inexact and self.equal == inexact:
            return "all members hold the same numbers, so that their outputs are equal"
        return None

    @cached_property
    def _distinct(self) -> list[nn.Module]:
        """Copies of the members that differ in every tensor, so that members in a wrong order are detected."""
        copies = [copy_module(model) for model in self.made]
        if self.equal:
            with torch.random.fork_rng(devices=[]):
                for model in copies:
                    vary(model)
        return copies


def _equal_numbers(one: dict[str, Tensor], other: dict[str, Tensor], name: str) -> bool:
    return name in other and one[name].shape == other[name].shape and torch.equal(one[name], other[name])


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
