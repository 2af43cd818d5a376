"""Is a run that does not reach its end incomplete in all that it says, whatever ended it?"""

import os
import signal
import threading
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
from suite_runs import ONE

from conformance.plugin.interruption import Interruption
from conformance.plugin.reporter import Reporter
from conformance.plugin.session import Run
from conformance.spec.locations import SUITE
from conformance.utils.exit_codes import ExitCode

TWO = [*ONE, "--requirement=stacking.order"]


def a_run(tmp_path):
    return Run({}, [], "cpu", {}, tmp_path / "result.json", {"profile": "full"}, None, {})


class Once:
    """A plugin that does something after the first test."""

    def __init__(self, act):
        self.act = act
        self.done = False

    def pytest_runtest_logfinish(self):
        if not self.done:
            self.done = True
            self.act()


def swallowed():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    except KeyboardInterrupt:
        return


def fail():
    raise RuntimeError("on \x1b purpose")


ENDS = {
    "by a signal": (lambda: os.kill(os.getpid(), signal.SIGHUP), 2, "interrupted by SIGHUP"),
    "by a signal that is swallowed": (swallowed, 2, "interrupted by SIGTERM"),
    "by pytest.exit": (lambda: pytest.exit("enough", returncode=0), 2, "interrupted: pytest.exit: enough"),
    "by an error": (fail, 3, r"internal error: RuntimeError: on \x1b purpose"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_run_that_ends_early_says_so_everywhere(run_suite, tmp_path, how):
    act, code, reason = ENDS[how]
    junit, page = tmp_path / "junit.xml", tmp_path / "page.html"
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    outcome = run_suite(*TWO, f"--junit-xml={junit}", f"--html={page}", plugins=[Once(act)])

    assert outcome.code == code, outcome.printed
    sentence = f"INCOMPLETE: {reason}; 0 of 430 requirements were judged until then, 0 fail"
    assert outcome.result["verdict"] == sentence
    assert not outcome.result["conforms"]
    assert f"VERDICT: {sentence}" in outcome.printed
    assert "INCOMPLETE: " in page.read_text(encoding="utf-8")
    (verdict,) = ET.parse(junit).findall(".//failure/..")  # noqa: S314 - pytest wrote it here
    assert verdict.get("name") == "verdict"
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_a_run_that_ends_before_collection_says_so(run_suite):
    class Early:
        def pytest_collection(self):
            raise KeyboardInterrupt

    outcome = run_suite(*ONE, plugins=[Early()])

    assert outcome.code == ExitCode.INTERRUPTED
    assert outcome.result["verdict"].startswith("INCOMPLETE: interrupted; 0 of 430 requirements")


def test_an_interrupted_run_of_other_tests_has_no_verdict(run_suite, tmp_path):
    test = tmp_path / "test_interrupted.py"
    test.write_text("def test_it():\n    raise KeyboardInterrupt\n", encoding="utf-8")

    outcome = run_suite("-p", "conformance.plugin", paths=[str(test)])

    assert outcome.code == ExitCode.INTERRUPTED
    assert outcome.result is None


def test_a_signal_after_the_verdict_stops_nothing(tmp_path):
    run = a_run(tmp_path)
    run.judged = True

    os_signal(Interruption(run), signal.SIGTERM)

    assert run.interrupted is None


def os_signal(interruption, number):
    """Let the process get a signal while `interruption` listens."""
    interruption.pytest_sessionstart(SimpleNamespace(config=SimpleNamespace(), shouldstop=False))
    try:
        signal.raise_signal(number)
    finally:
        interruption.pytest_unconfigure()


def test_what_is_ignored_stays_ignored(tmp_path):
    run = a_run(tmp_path)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        os_signal(Interruption(run), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert run.interrupted is None


def test_another_thread_and_a_worker_handle_no_signals(tmp_path):
    interruption = Interruption(a_run(tmp_path))
    session = SimpleNamespace(config=SimpleNamespace())

    thread = threading.Thread(target=interruption.pytest_sessionstart, args=(session,))
    thread.start()
    thread.join()
    session.config.workerinput = {}
    interruption.pytest_sessionstart(session)

    assert interruption.before == {}


def test_a_worker_that_is_interrupted_ends_the_run_cleanly(tmp_path):
    reporter = Reporter(a_run(tmp_path))
    told = {
        "collected": {},
        "problems": [],
        "environment_failed": None,
        "interrupted": "interrupted: pytest.exit: enough",
    }
    output = {"exitstatus": 0, "shouldstop": False, "conformance": told}
    node = SimpleNamespace(gateway=SimpleNamespace(id="gw0"), workeroutput=output)

    reporter.pytest_testnodedown(node)

    assert reporter.run.interrupted == "worker gw0 interrupted: pytest.exit: enough"
    assert (output["exitstatus"], output["shouldstop"]) == (1, reporter.run.interrupted)


def test_the_controller_knows_what_was_selected_as_soon_as_it_is_collected(tmp_path):
    run = a_run(tmp_path)
    run.implementations = {"torch.func": None}
    reporter = Reporter(run)
    test = "tests/test_stacking.py::test_slice_i_is_member_i[torch.func-NormNet]"
    assert (SUITE / "test_stacking.py").exists()

    reporter.pytest_xdist_node_collection_finished([test])

    (case,) = reporter.cases()
    assert (case.test, case.requirement, case.implementation) == (test, "stacking.order", "torch.func")
    assert (case.status, case.lost) == ("not run", True)
