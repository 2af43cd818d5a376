"""Which files are collected: those that ask for something that was asked. To import all of them takes seconds."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from conformance.plugin.session import Run
from conformance.spec.coverage import asking_tests
from conformance.spec.locations import SUITE


class Unasked(pytest.File):
    """A file of the suite in which no test asks for what was asked; it is not imported."""

    def collect(self) -> Iterable[pytest.Item]:
        return []


class Narrower:
    """Spares a run of a part of the suite the rest of it."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.File | None:
        """None is left to pytest: also where a test was asked for by name, which has to be found."""
        if module_path.resolve().parent != SUITE.resolve() or any("::" in each for each in parent.config.args):
            return None
        about = {
            requirement
            for requirement, tests in asking_tests().items()
            if any(test.startswith(f"{module_path.name}::") for test in tests)
        }
        if not about or any(self.run.asks(self.run.requirements[each]) for each in about):
            return None
        return Unasked.from_parent(parent, path=module_path)
