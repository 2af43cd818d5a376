"""Syntax trees of code that is copied into a script: the names it binds, what it leaves out, and other names in it."""

import ast
from collections.abc import Callable, Iterable
from itertools import chain

# Takes a dotted path; returns what stands for its first parts in the script, and for how many, or None for a builtin.
Resolve = Callable[[tuple[str, ...]], tuple[str, int] | None]
# Takes an import inside of a function; returns the names that it binds, each with its name in the script, or None.
LocalImport = Callable[[ast.ImportFrom], Iterable[tuple[str, str]] | None]
Function = ast.FunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
NAMED = (ast.FunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
# Annotations that a dataclass reads.
KEPT_ANNOTATIONS = ("ClassVar", "InitVar", "KW_ONLY")


def bound_names(node: ast.AST) -> list[str]:
    """Return the names that a statement or an expression binds around it: not those inside of functions."""
    found, waiting = [], [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.alias):
            found.append(each.asname or each.name.partition(".")[0])
        elif isinstance(each, NAMED) and each.name:
            found.append(each.name)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.append(each.id)
        if isinstance(each, ast.comprehension):
            waiting += [each.iter, *each.ifs]
        elif not isinstance(each, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(each)
    return found


def mentioned_names(node: ast.AST) -> set[str]:
    """Return the names and strings in the code by which it may reach a method."""
    found = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found.add(each.value)
    return found


def strip(node: ast.AST) -> None:
    """Remove docstrings, and annotations as far as they mean nothing when the code runs."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(each, clean=False) is not None:
            each.body = each.body[1:] or [ast.Pass()]
        if isinstance(each, ast.FunctionDef):
            each.returns = None
        elif isinstance(each, ast.arg):
            each.annotation = None
        elif isinstance(each, ast.AnnAssign) and not _is_read(each.annotation):
            each.annotation = ast.Name("object", ast.Load())


def _is_read(annotation: ast.expr) -> bool:
    return any(name in ast.unparse(annotation) for name in KEPT_ANNOTATIONS)


class Renamer(ast.NodeTransformer):
    """Renames what code reads from outside of itself; local variables keep their names."""

    def __init__(self, resolve: Resolve, local_import: LocalImport) -> None:
        self.resolve = resolve
        self.local_import = local_import
        self.scopes: list[set[str]] = []  # of the functions around, and of a class while its own statements run
        self.depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        if not self.depth:
            node.name = self._renamed(node.name)
        return self._visit_function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._visit_function(node)

    def visit_ListComp(self, node: Comprehension) -> ast.AST:
        self.scopes.append(set(chain.from_iterable(bound_names(each.target) for each in node.generators)))
        self.generic_visit(node)
        self.scopes.pop()
        return node

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815 - ast's names

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if not self.depth:
            node.name = self._renamed(node.name)
        node.bases = [self.visit(each) for each in node.bases]
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        node.keywords = [self.visit(each) for each in node.keywords]
        own = set(chain.from_iterable(map(bound_names, node.body)))
        self.depth += 1
        for each in node.body:  # a method does not see the names of its class
            if not isinstance(each, ast.FunctionDef):
                self.scopes.append(own)
            self.visit(each)
            if not isinstance(each, ast.FunctionDef):
                self.scopes.pop()
        self.depth -= 1
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.stmt]:
        found = self.local_import(node)
        if found is None:
            return node
        return [ast.parse(f"{name} = {known}").body[0] for name, known in found if name != known] or ast.Pass()

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        path = _path(node)
        found = None if not path or self._is_local(path[0]) else self.resolve(path)
        if found is None:
            return self.generic_visit(node)
        name, used = found
        return ast.parse(".".join((name, *path[used:])), mode="eval").body

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if not self._is_local(node.id):
            node.id = self._renamed(node.id)
        return node

    def _visit_function(self, node: Function) -> ast.AST:
        arguments = node.args
        arguments.defaults = [self.visit(each) for each in arguments.defaults]
        arguments.kw_defaults = [each and self.visit(each) for each in arguments.kw_defaults]
        self.scopes.append(_locals(node))
        self.depth += 1
        if isinstance(node, ast.Lambda):
            node.body = self.visit(node.body)
        else:
            visited = [self.visit(each) for each in node.body]
            node.body = list(chain.from_iterable(each if isinstance(each, list) else [each] for each in visited))
        self.depth -= 1
        self.scopes.pop()
        return node

    def _renamed(self, name: str) -> str:
        found = self.resolve((name,))
        return name if found is None else found[0]

    def _is_local(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)


def _locals(node: Function) -> set[str]:
    arguments = node.args
    rest = [each for each in (arguments.vararg, arguments.kwarg) if each]
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    return {
        *(each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *rest)),
        *chain.from_iterable(map(bound_names, body)),
    }


def _path(node: ast.expr) -> tuple[str, ...]:
    """Return the parts of a dotted name, or () for another expression."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := _path(node.value)):
        return (*before, node.attr)
    return ()
