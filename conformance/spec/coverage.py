"""The tests that ask for each requirement.

This is read off the source, so that it is known before anything runs: a run of a part of the suite, or of workers
that die, still knows what there was to run.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from conformance.spec.locations import SUITE
from conformance.spec.requirements import CHAPTERS


@cache
def asking_tests(folder: Path = SUITE) -> Mapping[str, tuple[str, ...]]:
    """Return the tests of each requirement, as ``test_forward.py::test_name``.

    Their mark is on the test, or on one of its parameters: ``pytest.param(..., marks=pytest.mark.requirement(ID))``.
    """
    found: dict[str, tuple[str, ...]] = {}
    for chapter in CHAPTERS:
        for path in chapter_files(chapter, folder):
            for identifier, test in _marks(path):
                found[identifier] = (*found.get(identifier, ()), test)
    return found


def chapter_files(chapter: str, folder: Path = SUITE) -> list[Path]:
    """The chapter's files: test_chapter.py, and where that would be long, test_chapter_part.py."""
    return [*folder.glob(f"test_{chapter}.py"), *sorted(folder.glob(f"test_{chapter}_*.py"))]


def _marks(path: Path) -> Iterator[tuple[str, str]]:
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            asked = (_requirement(node) for decorator in function.decorator_list for node in ast.walk(decorator))
            for identifier in dict.fromkeys(each for each in asked if each is not None):
                yield identifier, f"{path.name}::{function.name}"


def _requirement(node: ast.AST) -> str | None:
    """Return the id if the node is a requirement's mark, of a test or of one of its parameters."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement":
        return str(ast.literal_eval(node.args[0]))
    return None


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
