"""Does every requirement notice the defect that it exists for, and does everything unrelated stay green?"""

import ast
from fnmatch import fnmatchcase

import pytest
from kills import asked, assert_killed

from conformance.faults import CHAPTERS, FAULTS, inject
from conformance.faults.refusals import UnrelatedRefusal
from conformance.implementations.torch_func import TorchFunc
from conformance.plugin.diagnosis import Diagnosis
from conformance.spec.coverage import asking_tests
from conformance.spec.locations import SUITE
from conformance.spec.requirements import load_requirements
from conftest import Thin

# Those of a second device tests/meta/devices/on_the_simulated_device.py judges.
HERE = [name for name, fault in FAULTS.items() if fault.device == "cpu" and not issubclass(fault, UnrelatedRefusal)]
# Their refusals are an optimizer's and the compiler's, not the implementation's.
UNREFUSED = {"compiled.legacy", "training.refusing_optimizers"}
REFUSALS = [name for name, fault in FAULTS.items() if issubclass(fault, UnrelatedRefusal)]


@pytest.fixture
def no_ladder(monkeypatch):
    """Which layer a fault breaks is none of the questions here, and to ask takes a third of the time."""
    monkeypatch.setattr(Diagnosis, "diagnose", lambda *_: None)


@pytest.mark.usefixtures("no_ladder")
@pytest.mark.parametrize("fault", HERE)
def test_the_fault_is_seen_by_its_requirement_and_by_no_unrelated_one(run_suite, record_property, fault):
    breaks, judged_on = FAULTS[fault].breaks, FAULTS[fault].judged_on

    # A process of its own costs seconds: only the faults that are seen nowhere else pay for it.
    children = judged_on == "reference" or FAULTS[fault].in_children
    marks = "not original" if children else "not original and not child"
    outcome = run_suite(
        f"--fault={fault}",
        f"--implementation={judged_on}",
        "--tb=no",
        "-m",
        marks,
        paths=asked(fault),
        plugins=[Thin(breaks, fault, FAULTS[fault].shown_by)],
    )

    assert_killed(fault, outcome.red(), record_property)
    assert outcome.code == pytest.ExitCode.TESTS_FAILED


@pytest.mark.usefixtures("no_ladder")
@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_with_an_unrelated_word_is_accepted_by_no_test(run_suite, record_property, fault):
    accepting = AcceptingTests(FAULTS[fault])

    outcome = run_suite(
        f"--fault={fault}",
        f"--implementation={FAULTS[fault].judged_on}",
        "--tb=no",
        "-m",
        "not original and not child",
        paths=asked(fault),
        plugins=[accepting],
    )

    red = outcome.red()
    record_property("kill", [FAULTS[fault].breaks, fault, sorted(red)])
    conforms = {identifier for (identifier, _), status in outcome.statuses().items() if status == "conforms"}
    assert FAULTS[fault].breaks in red
    assert not accepting.accepted
    assert not conforms


class AcceptingTests:
    """A plugin that keeps the tests of the requirements that a fault must break, and finds those that accept it.

    `accepted`: the tests that passed although they were refused.
    """

    def __init__(self, fault):
        self.fault = fault
        self.accepted = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        kept = [item for item in items if self.fault.must_break(requirement_of(item))]
        kept = [item for item in kept if self.fault.shown_by in item.name]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
        for item in items:
            item.repr_failure = lambda excinfo, **_: str(excinfo.value)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        implementation = item.funcargs["implementation"]
        implementation.refused = False
        result = yield
        if implementation.refused:
            self.accepted.append(item.name)
        return result


def requirement_of(item):
    return item.get_closest_marker("requirement").args[0]


def test_every_requirement_whose_tests_accept_a_refusal_is_refused_with_an_unrelated_word():
    accepting = {
        identifier
        for identifier, tests in asking_tests().items()
        if any(accepts_refusals(*test.split("::")) for test in tests)
    }

    assert accepting
    assert {each for each in accepting if not any(FAULTS[fault].must_break(each) for fault in REFUSALS)} == UNREFUSED


def accepts_refusals(file, test):
    """Return whether the test, or a function of its file that it calls, names what accepts a refusal."""
    functions = {
        each.name: {name.id for name in ast.walk(each) if isinstance(name, ast.Name)}
        for each in ast.parse((SUITE / file).read_text(encoding="utf-8")).body
        if isinstance(each, ast.FunctionDef)
    }
    known, added = set(), {test}
    while added:
        known |= added
        added = set().union(*(functions[name] for name in added if name in functions)) - known
    return not known.isdisjoint({"refuses", "may_refuse", "attempt", "run_check"})


def test_every_must_has_a_fault():
    musts = {each.id for each in load_requirements().values() if each.level == "must"}

    assert musts - {fault.breaks for fault in FAULTS.values()} == set()


def test_no_two_faults_have_one_name():
    found = [name for chapter in CHAPTERS for name, each in vars(chapter).items() if FAULTS.get(name, each) is not each]

    assert not found


def test_every_fault_names_requirements_that_exist():
    ids = load_requirements().keys()

    for name, fault in FAULTS.items():
        assert fault.breaks in ids, name
        assert all(any(fnmatchcase(each, pattern) for each in ids) for pattern in fault.also), name
        assert fault.__doc__, name


def test_an_unknown_fault_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="invalid choice 'Nope'"):
        inject("Nope", TorchFunc())
