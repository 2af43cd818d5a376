"""Does a run of a part of the suite leave the rest of it alone?"""

import pytest

from conformance.spec.coverage import asking_tests
from conformance.spec.locations import SUITE

ONE = ["--implementation=torch.func", "--requirement=stacking.sequences"]


class Files:
    """A plugin that remembers which files tests were collected from."""

    def __init__(self):
        self.seen = set()

    def pytest_itemcollected(self, item):
        self.seen.add(item.path.name)


def test_only_files_that_ask_for_what_was_asked_are_collected(run_suite):
    one, core = Files(), Files()
    outcome = run_suite(*ONE, plugins=[one])
    some = [str(SUITE / f"test_{name}.py") for name in ("forward", "errors", "nesting")]
    run_suite("--implementation=torch.func", "--profile=core", "--collect-only", paths=some, plugins=[core])

    assert outcome.statuses()["stacking.sequences", "torch.func"] == "conforms"
    assert one.seen == {"test_stacking.py"}
    assert core.seen == {"test_forward.py", "test_nesting.py"}


def test_what_is_named_is_collected_whatever_it_asks_for(run_suite):
    (test,) = asking_tests()["in_dims.none"]

    outcome = run_suite(*ONE, paths=[f"{SUITE}/{test}"])

    assert outcome.code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert " deselected" in outcome.printed
