"""Known failures at collection: mark the tests that are expected to fail, and find entries that match no test."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from conformance.plugin.selection import case_parameters
from conformance.plugin.session import Run
from conformance.spec.coverage import asking_tests
from conformance.spec.expectations import Expectation

KNOWN = pytest.StashKey[Expectation]()


class KnownFailures:
    """The expectations that cover this environment, by implementation."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.by_implementation: dict[str, list[Expectation]] = {}

    def mark(self, item: pytest.Item, requirement: str, implementation: str) -> None:
        """Mark the test as one that is expected to fail, strictly, as the first expectation that covers it says."""
        for known in self._of(implementation):
            if known.covers_test(requirement, item.name):
                item.stash[KNOWN] = known
                item.add_marker(pytest.mark.xfail(reason=known.summary, raises=known.error, strict=True))
                _shorten_traceback(item, known)
                return

    def stale_entries(self, items: Sequence[pytest.Item]) -> Iterator[str]:
        """Yield a sentence for each entry that covers this environment and no test; only whole files can tell."""
        found = {f"{item.path.name}::{item.originalname}" for item in items}  # type: ignore[attr-defined]
        names: dict[tuple[Any, Any], list[str]] = {}
        for item in items:
            mark = item.get_closest_marker("requirement")
            asked = (mark.args[0] if mark else None, case_parameters(item).get("implementation"))
            names.setdefault(asked, []).append(item.name)
        for name in self.run.implementations:
            for known in self._of(name):
                complete = found.issuperset(asking_tests()[known.requirement])
                asking = names.get((known.requirement, name), [])
                if complete and not any(known.covers_test(known.requirement, each) for each in asking):
                    yield f"the expectation for {known.requirement}, test {known.test!r}, is stale"

    def _of(self, implementation: str) -> list[Expectation]:
        """Return the expectations for this environment: every test asks, and the answer is the same for all."""
        import torch

        if implementation not in self.by_implementation:
            name = self.run.implementations[implementation].name
            where = {"torch": torch.__version__, "device": self.run.device.type, "implementation": name}
            self.by_implementation[implementation] = [
                known for known in self.run.expectations if known.covers_environment(**where)
            ]
        return self.by_implementation[implementation]


def apply_match(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Make a failure of what pytest excuses for its type alone, if its message is not the recorded one."""
    known = item.stash.get(KNOWN, None)
    if known and call.excinfo and hasattr(report, "wasxfail") and not known.excuses(call.excinfo.value):
        del report.wasxfail
        report.outcome = "failed"


def _shorten_traceback(item: pytest.Item, known: Expectation) -> None:
    """Report an expected failure by its message: its traceback takes longer to draw up than most tests run."""
    in_full = item.repr_failure

    def repr_failure(excinfo: pytest.ExceptionInfo[BaseException], **options: Any) -> Any:
        return str(excinfo.value) if known.excuses(excinfo.value) else in_full(excinfo, **options)

    item.repr_failure = repr_failure  # type: ignore[assignment,method-assign]
