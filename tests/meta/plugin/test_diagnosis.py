"""Is a failure diagnosed once for each requirement, and what runs in a child process by its script alone?"""

from types import SimpleNamespace

import pytest

from conformance.diagnosis import bundle_script, diagnose
from conformance.plugin.diagnosis import LAYER, Diagnosis

SEED = 5
ERROR = AssertionError("it fails")


@pytest.fixture
def asked(monkeypatch):
    """Record the calls of what finds a layer, which finds no script, and of what writes a script."""
    calls = []

    def find(implementation, again):
        again("recorder")
        calls.append(("layer", implementation))
        return "vmap as run", ""

    def write(test, fixtures, error, seed, *, may_crash):
        calls.append(("script", test, dict(fixtures), error, seed, may_crash))
        return "a script"

    monkeypatch.setattr(diagnose, "find_broken_layer", find)
    monkeypatch.setattr(bundle_script, "script_of_test", write)
    return calls


def make_item(*markers):
    ran = []
    item = SimpleNamespace(obj=print, function=print, funcargs={"implementation": "own"}, stash={}, ran=ran)
    item.get_closest_marker = lambda name: name if name in markers else None
    item.runtest = lambda: ran.append(item.funcargs["implementation"])
    return item


def diagnosed(diagnosis, item, requirement="a"):
    diagnosis.diagnose(item, (requirement, "torch.func"), ERROR, lambda: SEED)
    return item.stash.get(LAYER)


def test_a_failure_is_run_again_and_its_script_is_written(asked):
    item = make_item()

    assert diagnosed(Diagnosis(), item) == ("vmap as run", "a script")
    assert item.ran == ["recorder"]
    assert asked == [("layer", "own"), ("script", print, {"implementation": "own"}, ERROR, SEED, False)]


def test_what_runs_in_a_child_is_not_run_again(asked):
    item = make_item("child")

    assert diagnosed(Diagnosis(), item) == ("", "a script")
    assert item.ran == []
    assert [(kind, rest[-1]) for kind, *rest in asked] == [("script", True)]


def test_a_known_failure_and_the_second_of_a_requirement_are_not_diagnosed(asked):
    diagnosis = Diagnosis()

    assert diagnosed(diagnosis, make_item("xfail")) is None
    assert diagnosed(diagnosis, make_item())
    assert diagnosed(diagnosis, make_item()) is None
    assert diagnosed(diagnosis, make_item(), "b")
    assert len(asked) == 4
