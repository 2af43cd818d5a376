"""A person's model as a case: found by import, which runs its code, and made once for each member."""

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
from conformance.utils.module_state import copied, moved, state_of
from conformance.utils.pytree import is_inexact, tree_map


@dataclass
class LoadedModel:
    """`made` are the members as the person's factory gives them, `minibatch(n)` makes n tuples of arguments."""

    name: str
    made: Sequence[nn.Module]
    draw: Callable[[int, torch.device | str, torch.dtype], list[tuple[Any, ...]]]

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """`n` copies, in which every tensor differs from member to member."""
        return [moved(copied(model), device, dtype) for model in islice(cycle(self._distinct), n)]

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """A minibatch for each of `n` members."""
        return self.draw(n, device, dtype)

    @cached_property
    def equal(self) -> list[str]:
        """The floating parameters and buffers in which two members hold the same numbers."""
        states = [state_of(model) for model in self.made]
        return [
            name
            for name, first in states[0].items()
            if is_inexact(first)
            and any(_equal_numbers(states[i], states[j], name) for i in range(len(states)) for j in range(i))
        ]

    @property
    def problem(self) -> str | None:
        """Why these members make no ensemble, or None."""
        if len({id(model) for model in self.made}) < len(self.made):
            return "the factory gives the same module again: what one member learns, all do"
        inexact = [name for name, tensor in state_of(self.made[0]).items() if is_inexact(tensor)]
        if len(self.made) > 1 and inexact and self.equal == inexact:
            return "all members hold the same numbers, and give the same answers"
        return None

    @cached_property
    def _distinct(self) -> list[nn.Module]:
        """Copies that differ in every tensor: a wrong order shows only where members differ."""
        copies = [copied(model) for model in self.made]
        if self.equal:
            with torch.random.fork_rng(devices=[]):
                for model in copies:
                    vary(model)
        return copies


def _equal_numbers(one: dict[str, Tensor], other: dict[str, Tensor], name: str) -> bool:
    return name in other and one[name].shape == other[name].shape and torch.equal(one[name], other[name])


def load_model(request: Request) -> LoadedModel:
    """Import the model, make the members, and describe their minibatches. Raises MistakeError."""
    module_name, _, _ = request.model.partition(":")
    factory = _load_attribute(request.model)
    made = [_make_member(factory, request.model) for _ in range(request.members)]
    names = [each for each in request.inputs if _is_function(each)]
    if names and len(request.inputs) > 1:
        raise UsageError(f"--input {names[0]} makes all arguments; there can be no other --input")
    if names:
        name = names[0].removeprefix(":")
        text = name if ":" in name else f"{module_name}:{name}"
        return LoadedModel(request.model, made, _minibatches_from(_load_attribute(text), text))
    inputs = tuple(parse_input(text, request.batch) for text in request.inputs)
    return LoadedModel(request.model, made, lambda n, device, dtype: draw_minibatches(inputs, n, device, dtype))


def _is_function(text: str) -> bool:
    """Is it a name rather than a shape?"""
    name = text.removeprefix(":")
    return name not in DTYPES and all(part.isidentifier() for part in name.replace(":", ".").split("."))


def _load_attribute(text: str) -> Callable[[], Any]:
    module_name, colon, attribute = text.partition(":")
    if not colon:
        raise UsageError(f"{text!r} is not of the form package.module:name")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        raise UsageError(f"{text} does not load: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise UsageError(f"{text} can't be called")
    return found


def _make_member(factory: Callable[[], Any], text: str) -> nn.Module:
    model = _call(factory, text)
    if not isinstance(model, nn.Module):
        raise UsageError(f"{text}() gives a {type(model).__name__}, and has to give a torch.nn.Module")
    if any(isinstance(each, UninitializedParameter | UninitializedBuffer) for each in state_of(model).values()):
        raise UsageError(f"{text}() gives a lazy module: call it once on an input, which makes its parameters")
    return model


def _call(function: Callable[[], Any], text: str) -> Any:
    try:
        return function()
    except Exception as error:
        raise UsageError(f"{text}() fails: {type(error).__name__}: {error}") from error


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
            raise UsageError(f"{text}() gives a {type(given[0]).__name__}, and has to give a tuple of arguments")
        return [tree_map(ready, each) for each in given]

    return draw
