"""Repetition: ``--repeat N`` asks each case N times with the same seed. One that answers differently is unstable."""

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import replace

import pytest

# Private, as pytest has no public way to run a whole protocol without reporting it: its hook `pytest_runtest_protocol`
# always reports, and the hooks of single phases don't give a case that runs again new fixtures.
from _pytest.runner import runtestprotocol

from conformance.plugin.selection import NOT_APPLICABLE
from conformance.plugin.session import Run
from conformance.report.case_change import NUMBERS
from conformance.report.results import Finding, Status
from conformance.utils.text import one_line

MOST = 1_000  # times
MAX_ANSWER = 160  # characters of an answer in the message of an unstable case
MAX_ANSWERS = 10  # that it names

Reports = Sequence[pytest.TestReport]


class Repetition:
    """Hooks of the process that runs tests. Each time is a whole protocol, with its own fixtures and time limit.

    Only one set of reports is sent for a case, and none before the last time: nothing is retried behind a report.
    """

    def __init__(self, run: Run, times: int) -> None:
        self.run = run
        self.times = times
        self.asking = False
        self.rounds: list[Reports] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, bool, bool]:
        """Run the protocol for all times but the last, go on with that one, and send what they say together."""
        if self.asking or item.nodeid not in self.run.collected or NOT_APPLICABLE in item.stash:
            return (yield)
        self.asking, self.rounds = True, []
        try:
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
            for _ in range(self.times - 1):
                # As if a test of the same file came next: only the fixtures of this case are torn down.
                item.ihook.pytest_runtest_protocol(item=item, nextitem=item.parent)
            done = yield
        finally:
            self.asking = False
        for report in combine_rounds(item, self.rounds, self.run.options["seed"]):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return done

    @pytest.hookimpl(tryfirst=True, specname="pytest_runtest_protocol")
    def pytest_runtest_protocol_once(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Keep the reports of one time; leave it to pytest if the case is not repeated."""
        if not self.asking:
            return None
        if self.rounds:
            if item.session.shouldstop:
                return True  # the device broke, or the run was interrupted: no further time would say anything
            _forget_last_time(item)
        self.rounds.append(runtestprotocol(item, log=False, nextitem=nextitem))
        return True


def _forget_last_time(item: pytest.Item) -> None:
    """Drop what the item keeps of its last run and would report again."""
    item.user_properties.clear()
    item._report_sections.clear()  # noqa: SLF001 - pytest has no other way to what was captured
    if NOT_APPLICABLE in item.stash:
        del item.stash[NOT_APPLICABLE]


def combine_rounds(item: pytest.Item, rounds: Sequence[Reports], seed: int) -> Reports:
    """Return the reports of one time if all gave the same answer, and else those of an unstable case."""
    findings = [_finding_of(reports) for reports in rounds]
    shares = [finding.budget_share or 0.0 for finding in findings]
    answers = [(finding.status, NUMBERS.sub("#", finding.message)) for finding in findings]
    if len(set(answers)) == 1:
        return rounds[shares.index(max(shares))]
    named = dict(zip(reversed(answers), reversed(findings), strict=True))  # the first of each answer is named
    message = _name_answers(Counter(answers), named, seed)
    failed = next((number for number, finding in enumerate(findings) if finding.status is Status.FAILS), 0)
    shown = next(report for report in rounds[failed] if hasattr(report, "conformance"))
    compared = [finding.budget_share for finding in findings if finding.budget_share is not None]
    unstable = replace(
        findings[failed],
        status=Status.UNSTABLE,
        message=message,
        budget_share=max(compared, default=None),
        lost=False,
    )
    return _failed_reports(item, shown, unstable)


def _finding_of(reports: Reports) -> Finding:
    """Return what the phases of one time say together: the last failure, or what was said first."""
    findings: list[Finding] = [report.conformance for report in reports if hasattr(report, "conformance")]
    return next((finding for finding in reversed(findings) if finding.status is Status.FAILS), findings[0])


def _name_answers(count: Counter[tuple[Status, str]], named: dict[tuple[Status, str], Finding], seed: int) -> str:
    """Return one line with each answer and how often it was given. Their order is the same in each run."""
    total = count.total()
    said = [
        f"'{one_line(': '.join(filter(None, (finding.status, finding.message))), MAX_ANSWER)}' "
        f"in {count[answer]} of {total}"
        for answer, finding in sorted(named.items(), key=lambda each: each[0])
    ]
    more = f", {len(said) - MAX_ANSWERS} more answers" * (len(said) > MAX_ANSWERS)
    return f"{', '.join(said[:MAX_ANSWERS])}{more}, seed {seed}"


def _failed_reports(item: pytest.Item, shown: pytest.TestReport, unstable: Finding) -> Reports:
    """Return the reports of a failed test; `shown`: the report of the time whose traceback and output are shown."""

    def report(when: str, **facts: object) -> pytest.TestReport:
        told = {"outcome": "passed", "longrepr": None, "duration": 0.0} | facts
        return pytest.TestReport(item.nodeid, item.location, {}, when=when, **told)  # type: ignore[arg-type]

    call = report(
        "call",
        outcome="failed",
        longrepr="\n\n".join(filter(None, (f"unstable: {unstable.message}", shown.longreprtext))),
        duration=shown.duration,
        sections=shown.sections,
        user_properties=shown.user_properties,
    )
    call.conformance = unstable  # type: ignore[attr-defined]
    return report("setup"), call, report("teardown")
