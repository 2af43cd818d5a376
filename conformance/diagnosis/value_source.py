"""Expressions for the values that a test is called with, and for those that its functions close over."""

import ast
import builtins
import dataclasses
import math
import operator
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import partial, singledispatchmethod
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor

from conformance.diagnosis.bundle import Bundle, assert_available, is_own
from conformance.diagnosis.call_source import MAX_NUMBERS, PLAIN, NoSourceError, function_node, literal
from conformance.utils.pytree import children

# Where a function or a class of torch may be found by its name.
PUBLIC = {
    "torch": torch,
    "torch.nn.functional": torch.nn.functional,
    "torch.func": torch.func,
    "torch.linalg": torch.linalg,
    "torch.special": torch.special,
    "torch.fft": torch.fft,
    "torch.nn.init": torch.nn.init,
    "torch.nn": torch.nn,
    "torch.optim": torch.optim,
    "torch.Tensor": torch.Tensor,
    "operator": operator,
    "math": math,
    "builtins": builtins,
}
WRITTEN_AS_SHOWN = (*PLAIN, slice, range, type(...))


@dataclass
class Values:
    """Writes values as expressions; `bundle` gets what these need. An object that is met twice stays one object.

    `module`: that of the test, whose variables need no other expression. `statements`: what is to be run before.
    """

    bundle: Bundle
    module: ModuleType
    statements: list[str] = field(default_factory=list)
    known: dict[int, str] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)  # as ids of what is gone would be used again

    def expression(self, value: Any) -> str:
        """Return an expression for the value; NoSourceError if there is none that needs torch alone."""
        if isinstance(value, float) and not math.isfinite(value):
            return f"float({str(value)!r})"
        if isinstance(value, torch.dtype | torch.device | torch.Size):
            self.bundle.use_module("torch")
            text = repr(value)
            return text if text.startswith("torch.") else f"torch.{text}"
        if isinstance(value, WRITTEN_AS_SHOWN):
            return repr(value)
        if id(value) not in self.known:
            self.kept.append(value)
            self.known[id(value)] = self._written(value)
        return self.known[id(value)]

    def _written(self, value: Any) -> str:
        public = _public_name(value)
        if public:
            root = public.partition(".")[0]
            return self.bundle.use_module(root) + public[len(root) :]
        return self._source(value)

    @singledispatchmethod
    def _source(self, value: Any) -> str:
        is_object = children(value) is None or dataclasses.is_dataclass(value)
        return self._instance(value) if is_object else self._container(value)

    @_source.register
    def _(self, value: Enum) -> str:
        return f"{self.expression(type(value))}.{value.name}"

    @_source.register
    def _(self, value: type) -> str:
        return self._at_top(value)

    @_source.register
    def _(self, value: MethodType) -> str:
        self.bundle.mentioned.add(value.__name__)
        return f"{self.expression(value.__self__)}.{value.__name__}"

    @_source.register(partial)
    def _(self, value: "partial[Any]") -> str:
        return self._call(partial, (value.func, *value.args), value.keywords)

    @_source.register(set)
    @_source.register(frozenset)
    def _(self, value: Any) -> str:
        return f"{type(value).__name__}([{', '.join(map(self.expression, value))}])"

    @_source.register
    def _(self, value: FunctionType) -> str:
        module = sys.modules.get(value.__module__ or "")
        if getattr(module, value.__qualname__, None) is value:
            return self._at_top(value)
        node = function_node(value)
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        bound = {name: self._named(name, cell.cell_contents) for name, cell in cells}
        if module is None or value.__globals__ is not vars(module):  # evaluated, with globals of its own
            module = ModuleType("evaluated")
            used = [name for name in value.__code__.co_names if name in value.__globals__]
            bound |= {name: self._named(name, value.__globals__[name]) for name in used}
        if isinstance(node, ast.Lambda):
            return self._keep("function", ast.unparse(self.bundle.rewrite(node, module, bound)))
        name = self.bundle.unique(node.name)
        self.statements.append(ast.unparse(self.bundle.rewrite(node, module, bound | {node.name: name})))
        return name

    @_source.register
    def _(self, value: Tensor) -> str:
        if value.device.type != "cpu" or value.numel() > MAX_NUMBERS or type(value) is not Tensor:
            raise NoSourceError("no source for a large or special tensor")
        self.bundle.use_module("torch")
        text = literal(value)
        for name in ("inf", "nan"):
            if name in text:
                self.bundle.use_import(f"from torch import {name}", name)
        return self._keep("tensor", text)

    def _at_top(self, value: Any) -> str:
        """Return the script's name for a function or class that stands at the top of a module."""
        module, name = sys.modules.get(value.__module__), value.__qualname__
        if module is None or getattr(module, name, None) is not value:
            raise NoSourceError(f"no source of {name}")
        if is_own(module.__name__):
            return self.bundle.require(module, name)
        assert_available(module.__name__)
        return self.bundle.use_import(f"from {module.__name__} import {name}", name)

    def _named(self, name: str, value: Any) -> str:
        """Define a name for a value that a function uses."""
        if isinstance(value, ModuleType):
            _, dot, rest = value.__name__.partition(".")
            return self.bundle.use_module(value.__name__) + dot + rest
        source = self.expression(value)
        return source if source.isidentifier() else self._keep(name, source)

    def _container(self, value: Any) -> str:
        pairs = children(value) or []
        parts = [self.expression(each) for _, each in pairs]
        if isinstance(value, Mapping):
            items = ", ".join(f"{self.expression(key)}: {part}" for (key, _), part in zip(pairs, parts, strict=True))
            return f"{{{items}}}" if type(value) is dict else f"{self._at_top(type(value))}({{{items}}})"
        if hasattr(value, "_fields"):
            return f"{self._at_top(type(value))}({', '.join(parts)})"
        if type(value) is list:
            return f"[{', '.join(parts)}]"
        return f"({''.join(f'{part}, ' for part in parts)})"

    def _instance(self, value: Any) -> str:
        """Return an object of the same class with the same attributes."""
        name = next((name for name, each in vars(self.module).items() if each is value), None)
        if name is not None:
            return self.bundle.require(self.module, name)
        if dataclasses.is_dataclass(value):
            given = {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if each.init}
            return self._keep(_variable(value), self._call(type(value), (), given))
        if isinstance(value, ModuleType | torch.nn.Module) or not hasattr(value, "__dict__"):
            raise NoSourceError(f"no source for a {type(value).__name__}")
        kind = self._at_top(type(value))
        if not vars(value):
            return f"{kind}()"
        attributes = self.expression(vars(value))
        name = self._keep(_variable(value), f"object.__new__({kind})")
        self.statements.append(f"vars({name}).update({attributes})")
        return name

    def _call(self, kind: Any, args: Any, kwargs: Mapping[str, Any]) -> str:
        given = [*map(self.expression, args), *(f"{name}={self.expression(each)}" for name, each in kwargs.items())]
        return f"{self._at_top(kind)}({', '.join(given)})"

    def _keep(self, name: str, source: str) -> str:
        found = self.bundle.unique(name)
        self.statements.append(f"{found} = {source}")
        return found


def _variable(value: Any) -> str:
    return type(value).__name__.lower()


def _public_name(value: Any) -> str | None:
    name = getattr(value, "__name__", None)
    if not isinstance(name, str) or isinstance(value, MethodType):
        return None
    return next((f"{path}.{name}" for path, module in PUBLIC.items() if getattr(module, name, None) is value), None)
