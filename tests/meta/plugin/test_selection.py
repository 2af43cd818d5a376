"""Does a run of a part of the suite leave the rest of it alone?"""

import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from conformance.implementations.torch_func import TorchFunc
from conformance.plugin.selection import Applicability, asks_for_suite
from conformance.spec.coverage import asking_tests
from conformance.spec.locations import SUITE
from conformance.spec.requirements import load_requirements

ONE = ["--implementation=torch.func", "--requirement=stacking.sequences"]


class Files:
    """A plugin that remembers which files tests were collected from."""

    def __init__(self):
        self.seen = set()

    def pytest_itemcollected(self, item):
        self.seen.add(item.path.name)


def test_only_files_that_ask_for_what_was_asked_are_collected(run_suite):
    one, core = Files(), Files()
    outcome = run_suite(*ONE, "--level=must", plugins=[one])
    some = [str(SUITE / f"test_{name}.py") for name in ("forward", "errors", "nesting")]
    run_suite("--implementation=torch.func", "--profile=core", "--collect-only", paths=some, plugins=[core])

    assert outcome.statuses()["stacking.sequences", "torch.func"] == "conforms"
    assert outcome.result["options"]["levels"] == ["must"]
    assert one.seen == {"test_stacking.py"}
    assert core.seen == {"test_forward.py", "test_nesting.py"}


def test_what_is_named_is_collected_whatever_it_asks_for(run_suite):
    (test,) = asking_tests()["in_dims.none"]

    outcome = run_suite(*ONE, paths=[f"{SUITE}/{test}"])

    assert outcome.code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert " deselected" in outcome.printed


class Loud:
    """A parameter whose probe does not go well."""

    def __init__(self, probe):
        self.probe = probe

    def unavailable_reason(self, device):
        return self.probe(device)


def warn(device):
    warnings.warn("old", UserWarning, stacklevel=1)


def fail(device):
    raise RuntimeError("no \x1b driver")


@pytest.mark.parametrize(
    ("probe", "reason"),
    [(warn, None), (fail, r"the probe failed: RuntimeError: no \x1b driver"), (str, "cpu")],
    ids=["warns", "fails", "answers"],
)
def test_a_probe_that_fails_is_a_reason_and_ends_nothing(probe, reason):
    item = SimpleNamespace(callspec=SimpleNamespace(params={"setting": Loud(probe)}))
    requirement = load_requirements()["in_dims.none"]

    assert Applicability(torch.device("cpu")).inapplicable_reason(item, requirement, TorchFunc()) == reason


def test_an_implementation_that_can_not_be_asked_is_not_available():
    item = SimpleNamespace(callspec=SimpleNamespace(params={}))
    implementation = TorchFunc()
    implementation.unavailable = lambda: 1 / 0

    reason = Applicability(torch.device("cpu")).inapplicable_reason(
        item, load_requirements()["in_dims.none"], implementation
    )

    assert reason == "the probe failed: ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [(".", True), ("tests", True), ("tests/test_forward.py::test_a[x]", True), ("tests/meta", False), ("/usr", False)],
)
def test_the_suite_is_asked_for_by_its_folder_or_a_file(argument, expected):
    config = SimpleNamespace(args=[argument], invocation_params=SimpleNamespace(dir=Path(SUITE).parent))

    assert asks_for_suite(config) is expected
