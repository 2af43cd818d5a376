"""Copies of the definitions that a piece of code needs, from the suite's modules into one script.

Each statement at the top of a module is copied at most once, and in the order in which Python ran them. Names that two
modules share are told apart. Methods that nothing mentions, docstrings and annotations are left out.
"""

import ast
import copy
import importlib
import linecache
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain, count
from types import MappingProxyType, ModuleType
from typing import Any

from conformance.diagnosis import stand_ins
from conformance.diagnosis.call_source import NoSourceError
from conformance.diagnosis.syntax import Renamer, bound_names, mentioned_names, strip
from conformance.spec.locations import SUITE

# Replaced by a shorter function that means the same: the original rests on half of the suite.
REPLACED = {
    ("conformance.numerics.assertions", "assert_members_close"): "assert_members_close",
    ("conformance.numerics.plain_loop", "loop"): "loop",
    ("conformance.numerics.plain_loop", "as_constant"): "as_constant",
    ("conformance.cases.answered", "assert_as_listed"): "assert_as_listed",
    ("conformance.devices.probe", "finest_dtype"): "finest_dtype",
    ("conformance.utils.child_process", "run_in_child"): "run_in_child",
    ("conformance.utils.text", "text_of"): "text_of",
    ("conformance.utils.text", "describe_error"): "describe_error",
    ("pytest", "raises"): "raises",
    ("test_modules", "assert_right"): "assert_right",
}


def is_own(module: str) -> bool:
    """Return whether a module belongs to the suite or is one of its tests."""
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return module.partition(".")[0] == "conformance" or file.startswith(f"{SUITE}{os.sep}")


@cache
def top_level(module: ModuleType) -> Mapping[str, ast.stmt]:
    """Return the statement at the top of a module that binds each name; the last one counts."""
    return {name: statement for statement in _statements(module) for name in bound_names(statement)}


@cache
def _statements(module: ModuleType) -> list[ast.stmt]:
    return ast.parse("".join(linecache.getlines(module.__file__))).body if module.__file__ else []


@dataclass
class Bundle:
    """The imports and the copied statements of a script."""

    imports: list[str] = field(default_factory=list)
    names: dict[tuple[str, str], str] = field(default_factory=dict)  # in the script, by module and name there
    taken: set[str] = field(default_factory=set)
    copied: dict[ModuleType, dict[int, Any]] = field(default_factory=lambda: defaultdict(dict))  # by line
    waiting: list[tuple[ModuleType, ast.stmt]] = field(default_factory=list)
    unreached: list[tuple[ModuleType, Any, ast.FunctionDef]] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)

    def require(self, module: ModuleType, name: str) -> str:
        """Return the script's name for what `name` is in the module, which will be copied."""
        key = module.__name__, name
        if key in REPLACED:
            return self.require(stand_ins, REPLACED[key])
        if key in self.names:
            return self.names[key]
        statement = top_level(module).get(name) if is_own(module.__name__) else None
        if statement is None:
            raise NoSourceError(f"{module.__name__} does not define {name}")
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self.names[key] = self._imported(statement, name)
            return self.names[key]
        for each in bound_names(statement):
            self.names[module.__name__, each] = self.unique(each)
        self.waiting.append((module, statement))
        return self.names[key]

    def definitions(self) -> list[str]:
        """Copy what the required names need, and return all statements in order."""
        while self.waiting or self._reach_methods():
            while self.waiting:
                self._copy(*self.waiting.pop())
        return [
            ast.unparse(each) for module in _in_order(self.copied) for _, each in sorted(self.copied[module].items())
        ]

    def rewrite(self, node: Any, module: ModuleType, known: Mapping[str, str] = MappingProxyType({})) -> Any:
        """Return a copy of the module's code with the script's names. `known`: those of further variables around it."""

        def resolve(path: tuple[str, ...]) -> tuple[str, int] | None:
            if path[0] in known:
                return known[path[0]], 1
            if path[0] not in top_level(module):
                return None
            source, value, used = module, getattr(module, path[0], None), 1
            while isinstance(value, ModuleType) and (is_own(value.__name__) or value.__name__ == "pytest"):
                if used == len(path):
                    raise NoSourceError(f"the module {value.__name__} is used as a value")
                source, value, used = value, getattr(value, path[used], None), used + 1
            return self.require(source, path[used - 1]), used

        new = copy.deepcopy(node)
        strip(new)
        new = Renamer(resolve, self._local_import).visit(new)
        self.mentioned |= mentioned_names(new)
        return new

    def unique(self, name: str) -> str:
        """Return a name that the script does not use yet."""
        found = next(each for each in chain([name], (f"{name}_{i}" for i in count(2))) if each not in self.taken)
        self.taken.add(found)
        return found

    def use_import(self, line: str, name: str) -> str:
        """Add an import, `line` with " as " and another name where `name` is taken; return the name."""
        if ("import", line) not in self.names:
            found = self.names["import", line] = self.unique(name)
            self.imports.append(line if found == name else f"{line} as {found}")
        return self.names["import", line]

    def use_module(self, module: str) -> str:
        """Add the import of a module by its dotted name; return the name of its root."""
        assert_available(module)
        root = module.partition(".")[0]
        found = self.use_import(f"import {root}", root)
        if f"import {module}" not in self.imports and module != root:
            self.imports.append(f"import {module}")
        return found

    def _copy(self, module: ModuleType, statement: ast.stmt) -> None:
        shown = copy.copy(statement)
        methods: list[ast.FunctionDef] = []
        if isinstance(shown, ast.FunctionDef) and shown.name.startswith("test_"):
            shown.decorator_list = []  # of pytest
        elif isinstance(shown, ast.ClassDef):
            reached_by_name = _reached_by_name(getattr(module, shown.name))
            methods = [x for x in shown.body if isinstance(x, ast.FunctionDef) and x.name in reached_by_name]
            shown.body = [each for each in shown.body if each not in methods] or [ast.Pass()]
        new = self.copied[module][statement.lineno] = self.rewrite(shown, module)
        self.unreached += [(module, new, each) for each in methods]

    def _reach_methods(self) -> bool:
        """Copy the methods that what was copied mentions; return whether there are any."""
        reached = [each for each in self.unreached if each[2].name in self.mentioned]
        for each in reached:
            self.unreached.remove(each)
            module, owner, method = each
            around = ast.ClassDef("_", bases=[], keywords=[], body=[method], decorator_list=[])
            parts = [part for part in owner.body if not isinstance(part, ast.Pass)]
            owner.body = sorted([*parts, *self.rewrite(around, module).body], key=lambda part: part.lineno)
        return bool(reached)

    def _imported(self, statement: ast.Import | ast.ImportFrom, name: str) -> str:
        """Return the script's name for what an import at the top of a module binds to `name`."""
        alias = next(each for each in statement.names if (each.asname or each.name.partition(".")[0]) == name)
        module = statement.module or "" if isinstance(statement, ast.ImportFrom) else alias.name
        if is_own(module):
            return self.require(importlib.import_module(module), alias.name)
        assert_available(module)
        if isinstance(statement, ast.ImportFrom):
            return self.use_import(f"from {module} import {alias.name}", alias.name)
        if alias.asname:
            return self.use_import(f"import {alias.name} as {alias.asname}", alias.asname)
        return self.use_module(alias.name)

    def _local_import(self, statement: ast.ImportFrom) -> Iterable[tuple[str, str]] | None:
        if not is_own(statement.module or ""):
            return None
        module = importlib.import_module(statement.module or "")
        return [(each.asname or each.name, self.require(module, each.name)) for each in statement.names]


def assert_available(module: str) -> None:
    """Raise NoSourceError if a module is neither torch's nor Python's."""
    root = module.partition(".")[0]
    if root != "torch" and root not in sys.stdlib_module_names:
        raise NoSourceError(f"{root} is needed")


def _reached_by_name(kind: Any) -> set[str]:
    """Return the names of methods that are called by name alone: those of no base class that is not the suite's."""
    if not isinstance(kind, type) or not all(each is object or is_own(each.__module__) for each in kind.__mro__):
        return set()
    return {name for name in vars(kind) if not name.startswith("__")}


def _in_order(modules: Iterable[ModuleType]) -> Iterator[ModuleType]:
    """Return the modules in the order in which Python ran them: each after those that it imports."""
    wanted, waiting = set(modules), list(modules)
    graph: dict[ModuleType, set[ModuleType]] = {}
    while waiting:
        module = waiting.pop()
        if module not in graph:
            graph[module] = set(_imported_modules(module))
            waiting += graph[module]
    return (each for each in TopologicalSorter(graph).static_order() if each in wanted)


def _imported_modules(module: ModuleType) -> Iterator[ModuleType]:
    for statement in _statements(module):
        names: list[str] = []
        if isinstance(statement, ast.Import):
            names = [each.name for each in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names = [statement.module or "", *(f"{statement.module}.{each.name}" for each in statement.names)]
        for name in names:
            if is_own(name) and name in sys.modules and sys.modules[name] is not module:
                yield sys.modules[name]
