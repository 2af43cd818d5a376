"""Loading of a user's model by import, which runs its code: a factory, one module, or trained members.

None of the user's modules is changed: a module is copied before anything is done to it.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from conformance.cases.modules.case import vary
from conformance.model_check.input_source import find_inputs
from conformance.model_check.literals import parse_args, parse_kwargs
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.model_source import find_object
from conformance.model_check.options import DEFAULT_MEMBERS, Request, UsageError
from conformance.model_check.state_files import find_state_files, load_state
from conformance.utils.module_state import copy_module, state_of
from conformance.utils.text import describe_error, type_name

NEEDS_GPU = re.compile(r"not compiled with CUDA|No CUDA GPUs|NVIDIA driver|no HIP|CUDA (is not|error)", re.IGNORECASE)


@dataclass(frozen=True)
class Members:
    """The members as they were brought. `origin`: how they were made, if not by the factory alone."""

    made: Sequence[nn.Module]
    origin: str = ""


def load_model(request: Request) -> LoadedModel:
    """Import the model, make its members, and find its inputs. Raises UsageError."""
    members = _find_members(request)
    for model in members.made:
        if any(isinstance(each, UninitializedParameter | UninitializedBuffer) for each in state_of(model).values()):
            raise UsageError(
                f"{request.model} is a lazy module: call it once on an input, which initializes its parameters"
            )
    return LoadedModel(request.model, members.made, find_inputs(request), members.origin)


def _find_members(request: Request) -> Members:
    found = find_object(request.model)
    if isinstance(found, nn.Module) or not callable(found):
        for option in ("args", "kwargs"):
            if getattr(request, option) is not None:
                raise UsageError(f"--{option}: {request.model} is no factory, which alone takes arguments")
        return _members_of(found, request)
    factory = partial(found, *parse_args(request.args or "[]"), **parse_kwargs(request.kwargs or "{}"))
    first = _call(factory, request)
    if not isinstance(first, nn.Module) or _is_list(first):
        return _members_of(first, request)
    if request.states:
        return _with_states(lambda made: first if not made else _make_member(factory, request), request)
    count = request.members or DEFAULT_MEMBERS
    return Members([first, *(_make_member(factory, request) for _ in range(count - 1))])


def _is_list(found: Any) -> bool:
    """Return True for a list of modules, and for a ModuleList, which has no forward."""
    return isinstance(found, list | tuple) or (
        isinstance(found, nn.ModuleList) and type(found).forward is nn.ModuleList.forward
    )


def _members_of(found: Any, request: Request) -> Members:
    """Return the members that an object is: a list of them, or one module, of which there will be copies."""
    if _is_list(found):
        return _listed(list(found), request)
    if not isinstance(found, nn.Module):
        raise UsageError(
            f"{request.model}: expected a torch.nn.Module, a factory or a list of modules, got {type_name(found)}"
        )
    if request.states:
        return _with_states(lambda _: _copy(found, request), request)
    copies = [_copy(found, request) for _ in range(request.members or DEFAULT_MEMBERS)]
    with torch.random.fork_rng(devices=[]):
        for model in copies[1:]:
            vary(model)
    return Members(copies, "copies of one module, whose numbers are varied in all but the first")


def _listed(found: list[Any], request: Request) -> Members:
    strange = next((each for each in found if not isinstance(each, nn.Module)), None)
    if strange is not None or not found:
        held = "holds no module" if not found else f"expected a torch.nn.Module in the list, got {type_name(strange)}"
        raise UsageError(f"{request.model}: {held}")
    if request.states:
        raise UsageError(f"--states: {request.model} is a list of members, which have their states")
    return Members(found[: _count(len(found), request, "the list holds")], "the modules of a list")


def _with_states(make: Callable[[int], nn.Module], request: Request) -> Members:
    """Return a member for each file of `--states`; `make(i)` returns the module of member `i`."""
    files = find_state_files(request.states)
    files = files[: _count(len(files), request, "--states matches")]
    made = [make(i) for i in range(len(files))]
    if len({id(model) for model in made}) < len(made):
        raise UsageError(f"--states: {request.model}() returns the same module each time")
    for model, file in zip(made, files, strict=True):
        load_state(model, file)
    return Members(made, f"states from {files[0]}" + (f" and {len(files) - 1} more" if len(files) > 1 else ""))


def _count(available: int, request: Request, what: str) -> int:
    if request.members and request.members > available:
        raise UsageError(f"--members {request.members}: {what} only {available}")
    return request.members or available


def _copy(model: nn.Module, request: Request) -> nn.Module:
    try:
        return copy_module(model)
    except Exception as error:
        raise UsageError(
            f"{request.model} can't be copied: {describe_error(error)}; name a function that returns a new module"
        ) from error


def _make_member(factory: Callable[[], Any], request: Request) -> nn.Module:
    model = _call(factory, request)
    if not isinstance(model, nn.Module):
        raise UsageError(f"{request.model}(): expected a torch.nn.Module, got {type_name(model)}")
    return model


def _call(factory: Callable[[], Any], request: Request) -> Any:
    try:
        return factory()
    except BaseException as error:  # SystemExit as well
        raise UsageError(f"{request.model}() raises {describe_error(error)}{_advice(factory, error)}") from error


def _advice(factory: Callable[[], Any], error: BaseException) -> str:
    """Return what may help against a factory's error, or an empty string."""
    try:
        inspect.signature(factory).bind()
    except TypeError:
        return "; give the arguments of the factory by --args and --kwargs"
    except Exception:  # noqa: BLE001 - a callable without a signature
        return ""
    if NEEDS_GPU.search(describe_error(error)):
        return "; it needs a GPU: check it where there is one, with --device cuda"
    return ""
