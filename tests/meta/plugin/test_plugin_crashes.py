"""Is a test that takes its process down one failed test, and a device that breaks the end of the run?"""

import json
from types import SimpleNamespace

import pytest

from conformance.plugin.outcomes import OutcomeRecorder
from conformance.plugin.reporter import Reporter
from conformance.plugin.session import Run
from conformance.report.results import Finding, Status
from conformance.spec.locations import SUITE
from conformance.utils.exit_codes import ExitCode
from conftest import in_a_process

ONE = "--requirement=forward.state_of_the_call"  # one test
STACKING = [f"{SUITE}/test_stacking.py"]
ILLEGAL = "device 'cpu' does not work here: CUDA error: an illegal memory access was encountered"


def statuses(outcome):
    return {row["implementation"]: row["status"] for row in outcome.result["requirements"] if row["cases"]}


def test_a_worker_that_crashes_or_hangs_is_one_failed_test_with_a_name(tmp_path):
    kinds = ("Crashing", "Segfaulting", "Hanging")
    outcome = in_a_process(
        tmp_path,
        "tests/test_forward.py",
        ONE,
        *(f"--implementation=tests.meta.broken:{kind}" for kind in kinds),
        "--implementation=torch.func",
        *("-n", "1", "-o", "timeout=1", "-o", "faulthandler_timeout=2"),
    )

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    broken = dict.fromkeys((f"tests.meta.broken:{kind}" for kind in kinds), "fails")
    assert statuses(outcome) == {**broken, "torch.func": "conforms"}
    for kind in kinds:
        crashed = f"FAILS forward.state_of_the_call (tests.meta.broken:{kind}): crashed: worker 'gw"
        assert crashed in outcome.printed
    assert not (tmp_path / "result.json.partial").exists()


def test_without_workers_the_run_ends_there_and_leaves_word_how_far_it_came(tmp_path):
    (tmp_path / "result.json").write_text('{"conforms": true}', encoding="utf-8")

    outcome = in_a_process(
        tmp_path,
        "tests/test_forward.py",
        ONE,
        *("--implementation=torch.func", "--implementation=tests.meta.broken:Crashing", "-p", "no:randomly"),
    )
    text = (tmp_path / "result.json.partial").read_text(encoding="utf-8")

    assert outcome.code == 3
    assert outcome.result is None  # nobody takes an earlier result for this run's
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["status"] for event in events if "status" in event] == ["conforms"]
    assert events[-1]["began"].startswith("tests/test_forward.py::test_")
    assert "[tests.meta.broken:Crashing" in events[-1]["began"]


def test_tests_outside_of_the_suite_leave_no_word(run_suite, tmp_path):
    earlier = tmp_path / "result.json"
    test = tmp_path / "test_yours.py"
    test.write_text(
        "import pathlib\n\n\ndef test_it():\n    pathlib.Path(__file__).with_name('result.json').write_text('{}')\n",
        encoding="utf-8",
    )

    run_suite("-p", "conformance.plugin", paths=[str(test)])

    assert earlier.read_text(encoding="utf-8") == "{}"
    assert not earlier.with_name("result.json.partial").exists()


def test_a_device_that_breaks_ends_the_run(run_suite, monkeypatch):
    monkeypatch.setattr("conformance.plugin.outcomes.device_failure", lambda device: f"{device} is gone")

    outcome = run_suite("--implementation=torch.func", "--fault=MembersReversed", "--profile=core", paths=STACKING)

    assert outcome.code == ExitCode.CANNOT_ANSWER
    cases = [case for row in outcome.result["requirements"] for case in row["cases"]]
    (failed,) = [case["test"] for case in cases if case["status"] == "fails"]
    after = {case["status"] for case in cases[[case["test"] for case in cases].index(failed) + 1 :]}
    assert "not run" in after
    assert outcome.result["verdict"].startswith(f"ENVIRONMENT FAILED: after {failed}: cpu is gone; ")
    assert "requirements were judged until then, 1 fail" in outcome.result["verdict"]
    assert not outcome.result["conforms"]


def test_a_worker_whose_device_breaks_ends_the_run(tmp_path):
    outcome = in_a_process(
        tmp_path,
        *("tests/test_stacking.py", "tests/test_stacking_originals.py"),
        *("--implementation=tests.meta.broken:Breaking", "--profile=core", "-n", "1"),
    )

    assert outcome.code == ExitCode.CANNOT_ANSWER
    assert outcome.result["verdict"].startswith("ENVIRONMENT FAILED: after tests/test_stacking.py::test_")
    assert f"]: {ILLEGAL}; " in outcome.result["verdict"]
    found = [case["status"] for row in outcome.result["requirements"] for case in row["cases"]]
    assert (found.count("fails"), found.count("conforms")) == (1, 0)
    assert found.count("not run") > 10


def test_a_finding_arrives_as_the_worker_sent_it(tmp_path):
    run = Run({}, [], "cpu", {}, tmp_path / "result.json", {}, None, {})
    finding = Finding(Status.FAILS, "member 1", 2.0, layer="vmap", script="print()")

    assert transported(finding, run) == finding
    assert transported(None, run) is None


def transported(finding, run):
    """Return what arrives at the controller of a report with this finding."""
    sent = SimpleNamespace(conformance=finding) if finding else SimpleNamespace()
    data = finish(OutcomeRecorder(run).pytest_report_to_serializable(sent), {})
    received = finish(Reporter(run).pytest_report_from_serializable(json.loads(json.dumps(data))), SimpleNamespace())
    return getattr(received, "conformance", None)


def finish(wrapper, result):
    """Run a hook wrapper around a hook that returns `result`."""
    next(wrapper)
    with pytest.raises(StopIteration) as stopped:
        wrapper.send(result)
    return stopped.value.value


@pytest.mark.parametrize(
    ("starts", "works", "ends"), [(False, True, True), (True, False, True), (True, True, False)], ids=str
)
def test_a_dead_worker_ends_the_run_if_the_next_one_would_die_too(monkeypatch, tmp_path, starts, works, ends):
    monkeypatch.setattr("conformance.plugin.reporter.device_failure", lambda device: None if works else "it is gone")
    run = Run({}, [], "cuda", {}, tmp_path / "result.json", {}, None, {})
    session = SimpleNamespace(shouldstop=False)
    manager = SimpleNamespace(getplugin={"dsession": session}.get)
    node = SimpleNamespace(gateway=SimpleNamespace(id="gw1"), config=SimpleNamespace(pluginmanager=manager))
    reporter = Reporter(run)

    if starts:
        reporter.pytest_testnodeready(node)
    reporter.pytest_testnodedown(node)

    assert bool(session.shouldstop) == ends
    reason = "it is gone" if starts else "could not start, and says above why"
    assert run.environment_failed == (f"worker gw1: {reason}" if ends else None)
