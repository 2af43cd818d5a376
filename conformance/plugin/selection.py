"""The selection of what runs: files that ask for what the run asks for, and cases that apply to this environment."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conformance.devices.probe import dtype_unavailable_reason
from conformance.plugin.session import Run
from conformance.spec.coverage import requirements_of_file
from conformance.spec.locations import SUITE
from conformance.spec.requirements import Requirement
from conformance.utils.probing import ask

NOT_APPLICABLE = pytest.StashKey[str]()


@cache
def is_of_suite(path: Path) -> bool:
    """Return whether a file is one of the suite's test modules."""
    return path.resolve().parent == SUITE.resolve()


class Unasked(pytest.File):
    """A file of the suite in which no test asks for what was asked; it is not imported."""

    def collect(self) -> Iterable[pytest.Item]:
        return []


class Narrower:
    """The hook that leaves out files that have nothing to ask: to import all of them takes seconds."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.File | None:
        """Return an empty file to skip this one, or None to leave it to pytest.

        A test that is asked for by name has to be found, so then no file is skipped.
        """
        if not is_of_suite(module_path) or any("::" in each for each in parent.config.args):
            return None
        about = requirements_of_file(module_path.name)
        if not about or any(self.run.asks(self.run.requirements[each]) for each in about):
            return None
        return Unasked.from_parent(parent, path=module_path)


def asks_for_suite(config: pytest.Config) -> bool:
    """Return whether the arguments name the suite's folder, a folder around it, or a file in it."""
    suite = SUITE.resolve()
    paths = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return any(path in (suite, *suite.parents) or (path.parent == suite and path.suffix == ".py") for path in paths)


def case_parameters(item: pytest.Item) -> Mapping[str, Any]:
    """Return the parameters that this item is a case of."""
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


def case_dtype(item: pytest.Item) -> str:
    """Return the dtype that a parameter is, or is about; an empty string if there is none."""
    import torch

    for value in case_parameters(item).values():
        about = getattr(torch, value, None) if isinstance(value, str) else getattr(value, "dtype", value)
        if isinstance(about, torch.dtype):
            return str(about).removeprefix("torch.")
    return ""


class Applicability:
    """The cases that apply to this torch and device. Each probe is asked once: thousands of cases share it."""

    def __init__(self, device: Any) -> None:
        self.device = device
        # With the probed object, so that its id stays its own.
        self._answers: dict[int, tuple[Any, str | None]] = {}

    def inapplicable_reason(self, item: pytest.Item, requirement: Requirement, implementation: Any) -> str | None:
        """Return the reason why this case does not apply to this implementation, or None if it does."""
        import torch

        from conformance.implementations.protocol import unavailable_reason

        parameters = case_parameters(item)
        dtype = parameters.get("dtype")
        reason = (
            self._ask(implementation, unavailable_reason, implementation)
            or requirement.not_about(implementation)
            or (dtype_unavailable_reason(self.device, getattr(torch, dtype)) if dtype else None)
        )
        # A parameter may know by itself that it makes no sense here, such as an optimizer that this torch lacks.
        probed = [value for value in parameters.values() if hasattr(value, "unavailable_reason")]
        answers = (self._ask(value, value.unavailable_reason, self.device) for value in probed)
        return reason or next(filter(None, answers), None)

    def _ask(self, probed: Any, probe: Callable[..., str | None], *args: Any) -> str | None:
        if id(probed) not in self._answers:
            self._answers[id(probed)] = probed, ask(probe, *args)
        return self._answers[id(probed)][1]
