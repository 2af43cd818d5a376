"""The tests that ask for each requirement.

This is read off the source, so that it is known before anything runs: a run of a part of the suite, or of workers
that die, still knows what there was to run.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeGuard

from conformance.spec.locations import SUITE
from conformance.spec.requirements import CHAPTERS


@cache
def asking_tests(folder: Path = SUITE) -> Mapping[str, tuple[str, ...]]:
    """Return the tests of each requirement, as ``test_forward.py::test_name``.

    Their mark is on the test, or on one of its parameters: ``pytest.param(..., marks=pytest.mark.requirement(ID))``.
    """
    found: dict[str, tuple[str, ...]] = {}
    for chapter in CHAPTERS:
        for identifier, tests in asking_tests_of_chapter(chapter, folder).items():
            found[identifier] = (*found.get(identifier, ()), *tests)
    return found


def asking_tests_of_chapter(chapter: str, folder: Path = SUITE) -> Mapping[str, tuple[str, ...]]:
    """Return the same of the files of one chapter: to read all files takes tenths of a second."""
    found: dict[str, dict[str, None]] = {}
    for path in chapter_files(chapter, folder):
        for identifier, test, _ in _marks(path):
            found.setdefault(identifier, {})[test] = None
    return {identifier: tuple(tests) for identifier, tests in found.items()}


@cache
def requirements_of_file(name: str, folder: Path = SUITE) -> frozenset[str]:
    """Return the requirements that the tests of a file ask for, such as ``test_forward.py``."""
    path = folder / name
    return frozenset(identifier for identifier, _, _ in _marks(path)) if path.is_file() else frozenset()


@cache
def requirement_of(test: str, folder: Path = SUITE) -> str | None:
    """Return the requirement that a test asks for, ``test_forward.py::test_name[parameters]``; None if there is none.

    Of a test whose parameters have the marks, the ids of the parameters tell which one it is.
    """
    function, _, parameters = test.rstrip("]").partition("[")
    path = folder / function.partition("::")[0]
    if not path.is_file():
        return None
    marked = [(parameter, identifier) for identifier, name, parameter in _marks(path) if name == function]
    found = (each for parameter, each in marked if parameter is None or f"-{parameter}-" in f"-{parameters}-")
    return next(found, None)


def chapter_files(chapter: str, folder: Path = SUITE) -> list[Path]:
    """The chapter's files: test_chapter.py, and where that would be long, test_chapter_part.py."""
    return [*folder.glob(f"test_{chapter}.py"), *sorted(folder.glob(f"test_{chapter}_*.py"))]


@cache
def _marks(path: Path) -> Sequence[tuple[str, str, str | None]]:
    """Return the marks of a file: requirement, test, and the id of the parameter that has it; None for the test."""
    return tuple(_read_marks(path))


def _read_marks(path: Path) -> Iterator[tuple[str, str, str | None]]:
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            test = f"{path.name}::{function.name}"
            for decorator in function.decorator_list:
                if _is_call(decorator, "pytest.mark.requirement"):
                    yield _first_argument(decorator), test, None
                for node in ast.walk(decorator):
                    if _is_call(node, "pytest.param"):
                        marks = (each for each in ast.walk(node) if _is_call(each, "pytest.mark.requirement"))
                        ids = [ast.literal_eval(each.value) for each in node.keywords if each.arg == "id"]
                        for mark in marks:
                            yield _first_argument(mark), test, *(ids or [_first_argument(node)])


def _is_call(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == name


def _first_argument(call: ast.Call) -> str:
    """Return the first argument of the call, which is a literal, as text."""
    return str(ast.literal_eval(call.args[0]))


def coverage_problem(requirements: Mapping[str, object], folder: Path = SUITE) -> str | None:
    """A mark with an unknown id, or a requirement without a test, as a sentence; None if all is well."""
    tests = asking_tests(folder)
    for identifier in tests.keys() - requirements.keys():
        return f"{tests[identifier][0]} asks for the unknown requirement {identifier!r}"
    for identifier in requirements.keys() - tests.keys():
        return f"no test asks for the requirement {identifier!r}"
    own = {chapter: {path.name for path in chapter_files(chapter, folder)} for chapter in CHAPTERS}
    for identifier, names in tests.items():
        strays = [name for name in names if name.partition("::")[0] not in own[identifier.partition(".")[0]]]
        if strays:
            return f"{strays[0]} asks for {identifier!r}, which is of another chapter"
    return None
