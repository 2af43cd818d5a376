"""Known failures of torch that a WRONG is due to, proven by the same check, which is right without the cause."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from conformance.checks.outcome import Outcome
from conformance.model_check.asking import Asking, Way
from conformance.model_check.caveats import Caveat, load_caveats
from conformance.spec.expectations import DEFAULT, Expectation, load_expectations
from conformance.spec.requirements import load_requirements
from conformance.utils.module_state import all_named_parameters, copy_module


def find_known_failure(check: str, message: str, way: Way, asking: Asking) -> str | None:
    """Return the id of the known failure that a WRONG of a check is, or None."""
    for caveat in load_caveats():
        if caveat.fits(check, message) and _is_recorded(caveat.id, asking) and _is_right_without(caveat, way, asking):
            return caveat.id
    return None


def _is_recorded(name: str, asking: Asking) -> bool:
    return any(
        entry.reproducer == name
        and entry.covers_environment(
            torch=torch.__version__, device=asking.device.type, implementation=asking.implementation.name
        )
        for entry in _entries()
    )


@cache
def _entries() -> tuple[Expectation, ...]:
    return tuple(load_expectations(DEFAULT, load_requirements().keys()))


def _is_right_without(caveat: Caveat, way: Way, asking: Asking) -> bool:
    models = [copy_module(model) for model in way.case.made]
    changed = [CHANGES[caveat.without](model) for model in models] if caveat.without in CHANGES else [True]
    context = REPLACED.get(caveat.without, nullcontext)
    if not all(changed):
        return False
    with context():
        return asking.run(replace(way, case=replace(way.case, made=models))).status is Outcome.RIGHT


def _remove_ties(model: nn.Module) -> bool:
    seen: set[int] = set()
    tied = []
    for path, parameter in all_named_parameters(model):
        if id(parameter) in seen:
            tied.append((path, parameter))
        seen.add(id(parameter))
    for path, parameter in tied:
        owner, _, name = path.rpartition(".")
        setattr(model.get_submodule(owner), name, nn.Parameter(parameter.detach().clone(), parameter.requires_grad))
    return bool(tied)


def _remove_padding_idx(model: nn.Module) -> bool:
    padded = [each for each in model.modules() if getattr(each, "padding_idx", None) is not None]
    for module in padded:
        module.__dict__["padding_idx"] = None
    return bool(padded)


def _remove_backward_hooks(model: nn.Module) -> bool:
    hooked = [each for each in model.modules() if each._backward_hooks]  # noqa: SLF001 - torch has no public API
    for module in hooked:
        module._backward_hooks.clear()  # noqa: SLF001 - as above
    return bool(hooked)


def _write_into_buffers(model: nn.Module) -> bool:
    """Let each assignment to a buffer write into it."""
    for module in model.modules():
        if module._buffers:  # noqa: SLF001 - torch has no public API to tell a buffer of the module's own
            kind: Any = type(module)
            module.__class__ = _writing_class(kind)
    return True


@cache
def _writing_class(kind: Any) -> Any:
    return type(kind.__name__, (kind,), {"__setattr__": _write_buffer, "__module__": kind.__module__})


def _write_buffer(module: nn.Module, name: str, value: Any) -> None:
    buffer = module._buffers.get(name)  # noqa: SLF001 - as above
    if buffer is not None and isinstance(value, Tensor) and _kind(buffer) == _kind(value):
        buffer.copy_(value)
    else:
        super(type(module), module).__setattr__(name, value)


def _kind(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tensor.device, tensor.shape


CHANGES: Mapping[str, Callable[[nn.Module], bool]] = MappingProxyType(
    {
        "ties": _remove_ties,
        "padding_idx": _remove_padding_idx,
        "backward_hooks": _remove_backward_hooks,
        "reassigned_buffers": _write_into_buffers,
    }
)


class _Replaced(TorchFunctionMode):
    """A mode in which a function of torch is computed by indexing, which vmap checks."""

    def __init__(self, functions: Sequence[Any], by: Callable[..., Any]) -> None:
        super().__init__()
        self._functions, self._by = functions, by

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = self._by if func in self._functions else func
        return call(*args, **(kwargs or {}))


def _index_rows(input: Any, weight: Any, *_: Any, **__: Any) -> Any:  # noqa: A002 - torch's name
    return weight[input]


def _index_classes(tensor: Any, num_classes: int = -1) -> Any:
    return torch.eye(num_classes, dtype=torch.int64, device=tensor.device)[tensor]


REPLACED: Mapping[str, Callable[[], AbstractContextManager[Any]]] = MappingProxyType(
    {
        "embedding": lambda: _Replaced([nn.functional.embedding], _index_rows),
        "one_hot": lambda: _Replaced([nn.functional.one_hot], _index_classes),
    }
)
