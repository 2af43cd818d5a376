"""The minibatches of a check: drawn as ``--input`` describes them, made by a function, or read from a file."""

from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from conformance.cases.inputs import draw_minibatches
from conformance.checks.calls import make_minibatch, share_first
from conformance.model_check.input_files import Minibatch, as_minibatch, load_minibatches, share_identical
from conformance.model_check.input_spec import is_function, parse_arguments
from conformance.model_check.model_source import find_object, split_name
from conformance.model_check.options import Request, UsageError
from conformance.utils.pytree import tree_map
from conformance.utils.rng import seeded_libraries
from conformance.utils.text import describe_error

Draw = Callable[[int, torch.device | str, torch.dtype], list[Minibatch]]


def find_inputs(request: Request) -> Draw:
    """Return the function that makes a minibatch for each of `n` members. Raises UsageError."""
    names = [each for each in request.inputs if is_function(each)]
    if request.inputs_file and request.inputs:
        raise UsageError("--inputs: the file holds all arguments, so no --input is allowed")
    if names and len(request.inputs) > 1:
        raise UsageError(f"--input {names[0]}: a function makes all arguments, so no other --input is allowed")
    if request.inputs_file:
        return _from_file(request.inputs_file)
    if names:
        name = names[0].removeprefix(":")
        return _from_function(name if ":" in name else f"{split_name(request.model)[0]}:{name}")
    return _from_descriptions(request)


def _from_descriptions(request: Request) -> Draw:
    args, kwargs = parse_arguments(request.inputs, request.batch)
    try:
        make_minibatch((), kwargs)
    except ValueError as error:  # no name of a field of a named tuple
        raise UsageError(f"--input: {error}") from error

    def draw(n: int, device: torch.device | str, dtype: torch.dtype) -> list[Minibatch]:
        drawn = draw_minibatches((args, kwargs), n, device, dtype)
        return share_first([make_minibatch(*each) for each in drawn])

    return draw


def _from_file(file: str) -> Draw:
    found = load_minibatches(Path(file))
    return lambda n, device, dtype: [tree_map(_ready(device, dtype), each) for each in islice(cycle(found), n)]


def _from_function(text: str) -> Draw:
    make = find_object(text)
    if not callable(make):
        raise UsageError(f"--input {text}: is not callable")

    def draw(n: int, device: torch.device | str, dtype: torch.dtype) -> list[Minibatch]:
        seed = torch.initial_seed() ^ 0x5EED
        with torch.random.fork_rng(devices=[]), seeded_libraries(seed % 2**32):
            torch.default_generator.manual_seed(seed)
            given = [as_minibatch(_call(make, text), f"{text}()") for _ in range(n)]
        return [tree_map(_ready(device, dtype), each) for each in share_identical(given)]

    return draw


def _call(function: Callable[[], Any], text: str) -> Any:
    try:
        return function()
    except BaseException as error:  # SystemExit as well
        raise UsageError(f"{text}() raises {describe_error(error)}") from error


def _ready(device: torch.device | str, dtype: torch.dtype) -> Callable[[Any], Any]:
    def ready(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return leaf.to(device, dtype) if leaf.is_floating_point() else leaf.to(device)

    return ready
