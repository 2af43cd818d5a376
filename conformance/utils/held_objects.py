"""The objects that a module holds: its modules, parameters, buffers and attributes, containers and objects within."""

from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import Tensor, nn

from conformance.utils.module_state import all_named_buffers, all_named_parameters

# Attributes of every module, whose contents are found by name or do not matter.
_INTERNAL = frozenset(vars(nn.Module()))
# Objects that are shared by design, or lead out of the module.
_OUTSIDE = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
DEEPEST = 6


def held_objects(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield `(path, object)` for all that a module holds, each object once, containers before their contents.

    Functions, classes and Python modules are not looked into.
    """
    seen: set[int] = set()
    for path, module in model.named_modules():
        yield path, module
        seen.add(id(module))
    for name, tensor in (*all_named_parameters(model), *all_named_buffers(model)):
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor
    for path, name, value in own_attributes(model):
        yield from _walk(f"{path}.{name}" if path else name, value, seen, DEEPEST)


def own_attributes(model: nn.Module) -> Iterator[tuple[str, str, Any]]:
    """Yield `(path of the module, name, value)` for each attribute that its modules have beyond those of nn.Module."""
    for path, module in model.named_modules():
        for name, value in list(vars(module).items()):
            if name not in _INTERNAL:
                yield path, name, value


def _walk(path: str, value: Any, seen: set[int], depth: int) -> Iterator[tuple[str, Any]]:
    if id(value) in seen or not depth:
        return
    seen.add(id(value))
    yield path, value
    for label, child in _contents(value):
        yield from _walk(f"{path}{label}", child, seen, depth - 1)


def _contents(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        # The repr of a key of the user's own class may be anything.
        return [(f"[{key!r}]" if type(key) in (str, int) else "[...]", each) for key, each in dict.items(value)]
    if isinstance(value, list | tuple | set | frozenset):
        return [(f"[{i}]", each) for i, each in enumerate(value)]
    if isinstance(value, (*_OUTSIDE, Tensor)):
        return []
    try:
        held = vars(value)
    except Exception:  # noqa: BLE001 - most objects have no __dict__, and a user's may raise
        return []
    return [(f".{name}", each) for name, each in dict(held).items()]
