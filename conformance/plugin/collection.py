"""The collection of tests: each is entered into the run, or deselected, before the first one runs."""

from collections.abc import Generator, Sequence
from dataclasses import asdict

import pytest

from conformance.plugin.expectations import KnownFailures
from conformance.plugin.selection import NOT_APPLICABLE, Applicability, case_dtype, case_parameters, is_of_suite
from conformance.plugin.session import CollectedTest, Run


class Collector:
    """Hooks of the process that collects tests: the only one, or each worker of pytest-xdist."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.known_failures = KnownFailures(run)
        self.applicability = Applicability(run.device)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
        """Enter the tests into the run before -k and -m deselect any: what there is to run is the denominator.

        What does not apply is left out when they are done, with its reason: thousands of skips would hide the rest.
        """
        ours = [item for item in items if is_of_suite(item.path)]
        dropped = [item for item in ours if not self._enter(item)]
        if not any("::" in argument for argument in config.args):
            self.run.problems += self.known_failures.stale_entries(ours)
        if self.run.problems:
            dropped = list(items)
        _drop(config, items, dropped)
        yield
        inapplicable = [item for item in items if NOT_APPLICABLE in item.stash]
        for item in inapplicable:
            self.run.collected[item.nodeid].inapplicable = item.stash[NOT_APPLICABLE]
        _drop(config, items, inapplicable)

    def _enter(self, item: pytest.Item) -> bool:
        """Enter the test into the run; False if its requirement is not asked for."""
        marks = [mark.args[0] for mark in item.iter_markers("requirement")]
        if len(marks) != 1 or marks[0] not in self.run.requirements:
            self.run.problems.append(f"{item.nodeid}: expected one requirement of the spec, got {marks}")
            return False
        if "implementation" not in case_parameters(item):
            self.run.problems.append(f"{item.nodeid}: expected the fixture 'implementation', which it does not use")
            return False
        requirement = self.run.requirements[marks[0]]
        # The core is for an answer in seconds, and modules of original size take a third of the whole time.
        too_large = self.run.options["profile"] == "core" and item.get_closest_marker("original")
        if too_large or not self.run.asks(requirement):
            return False
        name = case_parameters(item)["implementation"]
        self.run.collected[item.nodeid] = CollectedTest(requirement.id, name, case_dtype(item))
        reason = self.applicability.inapplicable_reason(item, requirement, self.run.implementations[name])
        if reason:
            item.stash[NOT_APPLICABLE] = reason
        else:
            self.known_failures.mark(item, requirement.id, name)
        return True

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        for item in items:
            if item.nodeid in self.run.collected:
                self.run.collected[item.nodeid].deselected = True

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller what this worker collected, whether it ran or not."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["conformance"] = {
                "collected": {test: asdict(each) for test, each in self.run.collected.items()},
                "problems": self.run.problems,
                "environment_failed": self.run.environment_failed,
                "interrupted": self.run.interrupted,
            }


def _drop(config: pytest.Config, items: list[pytest.Item], dropped: Sequence[pytest.Item]) -> None:
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        gone = set(dropped)
        items[:] = [item for item in items if item not in gone]
