"""The reporter: it runs in the controller of pytest-xdist, or in the only process."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest

from conformance.devices.probe import SIMULATED_DEVICE, device_failure
from conformance.plugin.output import Output
from conformance.plugin.selection import asks_for_suite
from conformance.plugin.session import CollectedTest, Run
from conformance.report import tables, terminal, writer
from conformance.report.journal import Journal
from conformance.report.proposed_expectations import expectations_text
from conformance.report.results import (
    CaseResult,
    Finding,
    Status,
    requirement_results,
)
from conformance.report.verdict import Verdict, decide_verdict, incomplete_verdict
from conformance.spec.coverage import requirement_of
from conformance.utils.exit_codes import ExitCode
from conformance.utils.text import text_of


class Reporter:
    """Collects what the tests report, and ends the run with the verdict."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.started = time.perf_counter()
        self.findings: dict[str, Finding] = {}
        self.cells: dict[str, list[Any]] = {}
        self.selected: dict[str, None] = {}
        self.ready: set[str] = set()
        self.journal = Journal(run.result, run.options)
        self.output = Output(run, self.journal)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._known(nodeid):
            self.journal.record_start(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        finding: Finding | None = getattr(report, "conformance", None)
        if finding is None and report.failed:
            # A worker that dies takes its finding with it: what is left is its name and that it crashed.
            finding = Finding(Status.FAILS, f"crashed: {' '.join(text_of(report.longrepr).split())}")
        if report.when == "call":
            self.cells[report.nodeid] = [value for key, value in report.user_properties if key == "cell"]
        earlier = self.findings.get(report.nodeid)
        if finding is not None and (earlier is None or finding.status is Status.FAILS):
            finding = self.findings[report.nodeid] = replace(finding, duration=round(report.duration, 4))
            if self._known(report.nodeid):
                self.journal.record_finding(report.nodeid, finding)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(self, data: Any) -> Generator[None, Any, Any]:
        """Make a `Finding` again of what a worker sent."""
        found = data.get("conformance")
        report = yield
        if found:
            report.conformance = Finding(**found | {"status": Status(found["status"])})
        return report

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: Any) -> None:
        self.ready.add(node.gateway.id)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note what was selected: the worker itself tells more about it when it ends, if it comes to that."""
        self.selected.update(dict.fromkeys(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {}).get("conformance")
        if not output:
            self._lost(node)
            return
        self.run.collected.update({test: CollectedTest(**each) for test, each in output["collected"].items()})
        self.run.problems += [each for each in output["problems"] if each not in self.run.problems]
        self.run.environment_failed = self.run.environment_failed or output["environment_failed"]
        if output["interrupted"]:
            self.run.note_interruption(f"worker {node.gateway.id} {output['interrupted']}")
            # pytest-xdist would call it a crash, or, after `pytest.exit` with code 0, an error of its own.
            node.workeroutput.update(exitstatus=pytest.ExitCode.TESTS_FAILED.value, shouldstop=self.run.interrupted)

    def _lost(self, node: Any) -> None:
        """A worker died. If it never started, or the device went with it, the next one would die too."""
        name = node.gateway.id
        problem = device_failure(self.run.device) if name in self.ready else "could not start, and says above why"
        if problem:
            self.run.environment_failed = self.run.environment_failed or f"worker {name}: {problem}"
            node.config.pluginmanager.getplugin("dsession").shouldstop = "environment failed"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Judge first, so that the summary shows the verdict; write the files last, as that may fail."""
        document = None
        if self.run.problems:
            session.exitstatus = ExitCode.USAGE_ERROR
        elif not session.config.option.collectonly:
            self.run.judged = True
            document = self._judge(session)
        try:
            yield
        finally:
            self.journal.end()
            if document is not None:
                self.output.finish(session, document)

    def _judge(self, session: pytest.Session) -> Mapping[str, Any] | None:
        """Set the exit status, prepare the screen, and return the result; None if nothing was asked."""
        cases = list(self.cases())
        reason = self._incomplete_reason(session, cases)
        if not cases and reason is None:
            return None
        table = requirement_results(self.run.requirements, list(self.run.implementations), cases)
        if reason is not None:
            answer = incomplete_verdict(table, reason)
            self._report_failure(session, answer)
        else:
            answer = decide_verdict(table, certify=self.run.options["profile"] == "certify")
        # Where no case applies, pytest finds nothing to run; what is asked is answered all the same.
        if not answer.conforms and session.exitstatus in self._unanswered_codes(cases):
            session.exitstatus = ExitCode.NEGATIVE
        if self.run.profile:
            answer = Verdict(answer.conforms, f"{answer.sentence}; with the device profile {self.run.profile.name}")
        rehearsal = self.run.options["device_module"] == SIMULATED_DEVICE
        if rehearsal:
            answer = Verdict(answer.conforms, f"REHEARSAL: {answer.sentence}")
        found = tables.collect_tables(table, self.cells)
        document = writer.result_document(
            self.run.facts,
            self.run.options,
            table,
            found,
            answer,
            time.perf_counter() - self.started,
            self.run.suite,
        )
        if self.run.proposals and reason is None:
            names = {name: each.name for name, each in self.run.implementations.items()}
            self.output.proposals = expectations_text(table, self.run.facts, names)
        lines = terminal.report_lines(self.run.facts, self.run.options, table, found, rehearsal=rehearsal)
        self.output.prepare(lines, document, answer.sentence if rehearsal else f"VERDICT: {answer.sentence}", reason)
        return document

    def _unanswered_codes(self, cases: Sequence[CaseResult]) -> tuple[ExitCode, ...]:
        """Return pytest's exit codes that a negative verdict replaces."""
        inapplicable = any(case.status is Status.NOT_APPLICABLE for case in cases)
        return (ExitCode.OK, ExitCode.NO_TESTS) if inapplicable else (ExitCode.OK,)

    def _incomplete_reason(self, session: pytest.Session, cases: Sequence[CaseResult]) -> str | None:
        """Return why the run did not reach its end, and set its exit status; None if it did, or was not the suite's."""
        if self.run.environment_failed:
            session.exitstatus = ExitCode.CANNOT_ANSWER
            return f"ENVIRONMENT FAILED: {self.run.environment_failed}"
        if self.run.interrupted and (cases or asks_for_suite(session.config)):
            session.exitstatus = ExitCode.INTERNAL_ERROR if self.run.internal_error else ExitCode.INTERRUPTED
            return f"INCOMPLETE: {self.run.interrupted}"
        return None

    def _report_failure(self, session: pytest.Session, answer: Verdict) -> None:
        """Report a failed test, so that JUnit and other reports of this run can't be taken for a complete one's."""
        where = ("conformance", None, "verdict")
        report = pytest.TestReport("conformance::verdict", where, {}, "failed", answer.sentence, "call")
        session.config.hook.pytest_runtest_logreport(report=report)

    def cases(self) -> Iterator[CaseResult]:
        """Everything that was to run and everything that reported, also where only one of the two is known."""
        for test in {**self.run.collected, **self.selected, **self.findings}:
            known = self._known(test)
            if known is None:
                continue
            if known.inapplicable:
                unreported = Finding(Status.NOT_APPLICABLE, known.inapplicable)
            elif known.deselected:
                unreported = Finding(Status.NOT_RUN, "deselected")
            else:
                unreported = Finding(Status.NOT_RUN, "selected, but never reported", lost=True)
            yield CaseResult(
                test=test,
                requirement=known.requirement,
                implementation=known.implementation,
                dtype=known.dtype,
                **asdict(self.findings.get(test, unreported)),
            )

    def _known(self, test: str) -> CollectedTest | None:
        """Return the test as collected, or None if it is not the suite's.

        Where a worker has not told yet or has died, its node id alone says what it asks for.
        """
        if test in self.run.collected:
            return self.run.collected[test]
        requirement = requirement_of(test.rpartition("/")[2])
        implementations = (name for name in self.run.implementations if name in test.partition("[")[2])
        name = next(implementations, None)
        return CollectedTest(requirement, name) if requirement and name else None
