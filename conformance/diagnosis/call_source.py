"""A script of a recorded call as it is written in a test: the source of its function, and its arguments.

The script carries the source of the reference's loop, so that it needs torch alone.
"""

import ast
import inspect
import linecache
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor

from conformance.diagnosis.recorder import Mapped, RecordedCall, Recorder
from conformance.reference import vmap as reference
from conformance.utils import pytree

MAX_NUMBERS = 3000  # in all inputs: a longer script is unreadable
PLAIN = (type(None), bool, int, float, complex, str, torch.dtype)
TORCH = {"torch": torch, "torch.func": torch.func, "torch.nn.functional": torch.nn.functional}
TEMPLATE = '''\
"""The result of torch.func.vmap beside a loop over slices: exits with 1 if they differ. Seen on torch {version}."""

from collections import OrderedDict, namedtuple

from torch import inf, nan

{loop}def loop(func, in_dims=0, out_dims=0, *, chunk_size=None):
    return vmap(func, in_dims, out_dims)


def ask(vmap):
{body}


expected = ask(loop)
try:
    actual = ask(torch.func.vmap)
except Exception as error:
    print("vmap raises", type(error).__name__, "and the loop does not:", error)
    raise SystemExit(1)
if describe_structure(actual) != describe_structure(expected):
    print("the structure is", describe_structure(actual), "by vmap and", describe_structure(expected), "by the loop")
    raise SystemExit(1)
different = False
for (name, ours), (_, theirs) in zip(leaves(actual, "output"), leaves(expected, "output")):
    same = type(ours) is type(theirs)
    if same and isinstance(ours, Tensor):
        same = (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        same = same and torch.allclose(ours, theirs, 1e-4, 1e-6, equal_nan=True)
    elif same:
        same = ours == theirs
    if not same:
        different = True
        print(name, "is", ours, "by vmap and", theirs, "by the loop")
raise SystemExit(int(different))
'''


class NoSourceError(Exception):
    """A value can't be written as source that needs torch alone."""


def call_source(call: RecordedCall) -> str:
    """Return the script; NoSourceError if a function or a value of the call has no source of its own."""
    if not isinstance(call.func, FunctionType | Mapped):
        raise NoSourceError("the call maps a function of torch alone, and needs no script")
    writer = Writer()
    func = writer.mapping(call)
    given = [*map(writer.expression, call.inputs), *(f"{k}={writer.expression(v)}" for k, v in call.kwargs.items())]
    body = [*writer.definitions.values(), f"return {func}({', '.join(given)})"]
    return TEMPLATE.format(
        version=torch.__version__,
        loop="".join(_without_own_imports(module) for module in (pytree, reference)),
        body=textwrap.indent("\n".join(body), "    "),
    )


def literal(tensor: Tensor, digits: int = 17) -> str:
    """Return source that makes the tensor, its floats rounded to so many digits."""
    values = [float(f"{x:.{digits}g}") if isinstance(x, float) else x for x in tensor.flatten().tolist()]
    return f"torch.tensor({values}, dtype={tensor.dtype}).reshape({tuple(tensor.shape)})"


@dataclass
class Writer:
    """Writes values as expressions; `definitions` are the statements that these need, by the name that each defines."""

    definitions: dict[str, str] = field(default_factory=dict)

    def expression(self, value: Any) -> str:
        """Return an expression for the value."""
        known = next((f"{name}.{value.__name__}" for name, module in TORCH.items() if _has(module, value)), None)
        if known is not None:
            return known
        if isinstance(value, Mapped):
            return self.mapping(value)
        if isinstance(value, MethodType) and isinstance(value.__self__, Recorder):
            return value.__name__
        if isinstance(value, FunctionType):
            return self._function(value)
        return self._data(value)

    def mapping(self, mapped: Mapped | RecordedCall) -> str:
        """Return a call of vmap that maps the same function in the same way."""
        options = [self.expression(each) for each in (mapped.func, mapped.in_dims, mapped.out_dims)]
        if mapped.chunk_size is not None:
            options.append(f"chunk_size={mapped.chunk_size}")
        return f"vmap({', '.join(options)})"

    def _data(self, value: Any) -> str:
        kind, pairs = type(value), pytree.children(value)
        if isinstance(value, PLAIN):
            return repr(value)
        if isinstance(value, Tensor) and value.device.type == "cpu" and value.numel() <= MAX_NUMBERS:
            return literal(value)
        if pairs is None or is_dataclass(value):
            raise NoSourceError(f"no source for a {kind.__name__}")
        parts = [self.expression(child) for _, child in pairs]
        if hasattr(value, "_fields"):
            self._define(kind.__name__, f"{kind.__name__} = namedtuple({kind.__name__!r}, {value._fields!r})")
            return f"{kind.__name__}({', '.join(parts)})"
        if isinstance(value, Mapping):
            items = ", ".join(f"({label!r}, {part})" for (label, _), part in zip(pairs, parts, strict=True))
            return f"{kind.__name__}([{items}])"
        return f"[{', '.join(parts)}]" if kind is list else f"({''.join(f'{part}, ' for part in parts)})"

    def _function(self, func: FunctionType) -> str:
        """Return a lambda's source, or the name of a function whose definition is written."""
        node = function_node(func)
        used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
        own = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
        cells = dict(zip(func.__code__.co_freevars, func.__closure__ or (), strict=True))
        for name in sorted(used - own):
            value = cells[name].cell_contents if name in cells else func.__globals__.get(name, func)
            if value is not func:  # not a builtin, and not the function itself
                self._bind(name, value)
        if isinstance(node, ast.Lambda):
            return ast.unparse(node)
        self._define(func.__name__, ast.unparse(node))
        return func.__name__

    def _bind(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType):
            if value.__name__.partition(".")[0] != "torch":
                raise NoSourceError(f"{name} is a module of its own")
            source = value.__name__
        elif isinstance(value, type) and hasattr(value, "_fields"):
            source = f"namedtuple({name!r}, {value._fields!r})"
        elif isinstance(value, type) and value.__module__ == "collections":
            source = value.__name__
        else:
            source = self.expression(value)
        if source != name:
            self._define(name, f"{name} = {source}")

    def _define(self, name: str, statement: str) -> None:
        if self.definitions.setdefault(name, statement) != statement:
            raise NoSourceError(f"two values are named {name}")


def function_node(func: FunctionType) -> ast.FunctionDef | ast.Lambda:
    """Return the syntax of a function, found in its file by its position; NoSourceError if it is not there."""
    code = func.__code__
    arguments = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    for node in ast.walk(ast.parse("".join(linecache.getlines(code.co_filename)))):
        if not isinstance(node, ast.FunctionDef | ast.Lambda) or node.lineno != code.co_firstlineno:
            continue  # a function with decorators begins above
        if [each.arg for each in (*node.args.args, *node.args.kwonlyargs)] != arguments:
            continue
        if isinstance(node, ast.FunctionDef) or _contains(node.body, func):
            return node
    raise NoSourceError(f"no source of {func.__name__}")


def _contains(body: ast.expr, func: FunctionType) -> bool:
    """Return whether all code of the function stands in the expression."""
    start, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    spots = [(line, column) for line, _, column, _ in func.__code__.co_positions() if line and column]
    return all(start <= spot < end for spot in spots)


def _has(module: ModuleType, value: Any) -> bool:
    name = getattr(value, "__name__", None)
    return isinstance(name, str) and getattr(module, name, None) is value


def _without_own_imports(module: ModuleType) -> str:
    """Return a module's source without its docstring and what it imports from this package."""
    source = inspect.getsource(module)
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        own = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("conformance")
        if own or isinstance(node, ast.Expr):
            del lines[node.lineno - 1 : node.end_lineno]
    return "".join(lines).strip("\n") + "\n\n\n"
