"""The reporter: it runs in the controller of pytest-xdist, or in the only process."""

import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from conformance.devices.probe import CANNOT_ANSWER, device_failure
from conformance.plugin.session import CollectedTest, Run
from conformance.report import diff, diff_text, reader, tables, terminal, writer
from conformance.report.html import page as html_page
from conformance.report.html.diff import make_diff_step
from conformance.report.journal import Journal
from conformance.report.results import (
    CaseResult,
    Finding,
    RequirementResult,
    Status,
    Verdict,
    decide_verdict,
    interrupted_verdict,
    requirement_results,
)
from conformance.spec.coverage import requirement_of


class Reporter:
    """Collects what the tests report, and ends the run with the verdict and the result file."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.started = time.perf_counter()
        self.findings: dict[str, Finding] = {}
        self.cells: dict[str, list[Any]] = {}
        self.screen: list[str] = []
        self.ready: set[str] = set()
        self.journal = Journal(run.result, run.options)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._known(nodeid):
            self.journal.record_start(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        finding: Finding | None = getattr(report, "conformance", None)
        if finding is None and report.failed:
            # A worker that dies takes its finding with it: what is left is its name and that it crashed.
            finding = Finding(Status.FAILS, f"crashed: {' '.join(str(report.longrepr).split())}")
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
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {}).get("conformance")
        if output:
            self.run.collected.update({test: CollectedTest(**each) for test, each in output["collected"].items()})
            self.run.problems += [each for each in output["problems"] if each not in self.run.problems]
            self.run.environment_failed = self.run.environment_failed or output["environment_failed"]
        else:
            self._lost(node)

    def _lost(self, node: Any) -> None:
        """A worker died. If it never started, or the device went with it, the next one would die too."""
        name = node.gateway.id
        problem = device_failure(self.run.device) if name in self.ready else "could not start, and says above why"
        if problem:
            self.run.environment_failed = self.run.environment_failed or f"worker {name}: {problem}"
            node.config.pluginmanager.getplugin("dsession").shouldstop = "environment failed"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.run.problems:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        elif not session.config.option.collectonly:
            self._judge(session, list(self._cases()))
        self.journal.end()

    def _judge(self, session: pytest.Session, cases: list[CaseResult]) -> None:
        failed = self.run.environment_failed
        if not cases and not failed:
            return
        table = requirement_results(self.run.requirements, list(self.run.implementations), cases)
        certify = self.run.options["profile"] == "certify"
        answer = interrupted_verdict(table, failed) if failed else decide_verdict(table, certify=certify)
        if failed:
            session.exitstatus = CANNOT_ANSWER
        elif not answer.conforms and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self._finish(table, answer)

    def _finish(self, table: list[RequirementResult], answer: Verdict) -> None:
        facts = self.run.facts
        duration = time.perf_counter() - self.started
        if self.run.profile:
            answer = Verdict(answer.conforms, f"{answer.sentence}; with the device profile {self.run.profile.name}")
        found = tables.collect_tables(table, self.cells)
        document = writer.result_document(facts, self.run.options, table, found, answer, duration)
        writer.write_result(self.run.result, document)
        self.screen = [
            *terminal.report_lines(facts, self.run.options, table, found, answer),
            f"results: {self.run.result}",
        ]
        result = reader.parse_result(self.run.result.name, document)
        since = diff.restrict_to_selection(self.run.baseline, result) if self.run.baseline else None
        if self.run.page:
            text = html_page.render_page([result], [make_diff_step(since, result)] if since else [])
            writer.write_atomically(self.run.page, text.encode())
            self.screen.append(f"page: {self.run.page}")
        if since:
            self.screen += ["", *diff_text.diff_lines(since, result, diff.compare(since, result))]

    def _cases(self) -> Iterator[CaseResult]:
        """Everything that was to run and everything that reported, also where only one of the two is known."""
        for test in {**self.run.collected, **self.findings}:
            known = self._known(test)
            if known is None:
                continue
            unreported = Finding(
                Status.NOT_RUN,
                "deselected" if known.deselected else "selected, but never reported",
                lost=not known.deselected,
            )
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

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for problem in self.run.problems:
            terminalreporter.write_line(f"ERROR: {problem}", red=True)
        if self.screen:
            terminalreporter.section("verdict")
        for line in self.screen:
            terminalreporter.write_line(line)
