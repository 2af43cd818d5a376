"""The result model: cases fold into one status per requirement and implementation, and these into the verdict."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from conformance.spec.requirements import Requirement


class Status(StrEnum):
    """What is known about a requirement, or about one of its cases."""

    CONFORMS = "conforms"
    KNOWN_FAILURE = "known failure"
    NOT_APPLICABLE = "not applicable"
    NOT_RUN = "not run"
    FAILS = "fails"


@dataclass(frozen=True)
class Finding:
    """The outcome of one test, on its way from the process that ran it to the report.

    `budget_share`: the largest share of its error budget that a comparison used, if any was made. `lost`: it was
    selected and ended without an answer. `layer` and `script`: of a failure, the first layer that differs, and a
    script that shows it with torch alone. `duration`: in seconds.
    """

    status: Status
    message: str = ""
    budget_share: float | None = None
    lost: bool = False
    layer: str = ""
    script: str = ""
    duration: float = 0.0


@dataclass(frozen=True)
class CaseResult:
    """One test with its parameters.

    `dtype`: the one that it is about, if it is about one. `lost`: it was selected, and ended without an answer.
    `layer` and `script`, of a failure: the first layer that differs, and a script that shows it with torch alone.
    """

    test: str
    requirement: str
    implementation: str
    status: Status
    message: str = ""
    dtype: str = ""
    duration: float = 0.0
    budget_share: float | None = None
    lost: bool = False
    layer: str = ""
    script: str = ""


@dataclass(frozen=True)
class RequirementResult:
    """One requirement under one implementation."""

    requirement: Requirement
    implementation: str
    status: Status
    cases: Sequence[CaseResult]


def combine_statuses(cases: Sequence[CaseResult]) -> Status:
    """The status of a requirement: the worst that any case knows, and "not run" as long as a case is missing."""
    found = {case.status for case in cases}
    if any(case.lost for case in cases) and Status.FAILS not in found:
        return Status.NOT_RUN
    for status in (Status.FAILS, Status.KNOWN_FAILURE, Status.NOT_RUN, Status.CONFORMS, Status.NOT_APPLICABLE):
        if status in found:
            return status
    return Status.NOT_RUN


def requirement_results(
    requirements: Mapping[str, Requirement], implementations: Sequence[str], cases: Iterable[CaseResult]
) -> list[RequirementResult]:
    """A row for every requirement and implementation, run or not: the denominator."""
    by_key: dict[tuple[str, str], list[CaseResult]] = {}
    for case in sorted(cases, key=lambda case: case.test):
        by_key.setdefault((case.requirement, case.implementation), []).append(case)
    return [
        RequirementResult(requirement, name, combine_statuses(found := by_key.get((requirement.id, name), [])), found)
        for name in implementations
        for requirement in requirements.values()
    ]


@dataclass(frozen=True)
class Verdict:
    """The answer to the question that the suite was run for."""

    conforms: bool
    sentence: str


def decide_verdict(table: Sequence[RequirementResult], *, certify: bool) -> Verdict:
    """Fails on any failure, on a case that got lost, and to certify also on a "must" that was not run."""
    count = Counter(row.status for row in table)
    total = len(table)
    lost = sum(case.lost for row in table for case in row.cases)
    unrun_musts = sum(row.status is Status.NOT_RUN and row.requirement.level == "must" for row in table)
    known = f"{count[Status.KNOWN_FAILURE]} known failures"
    run = f"{count[Status.NOT_RUN]} not run" if count[Status.NOT_RUN] else "everything was run"
    if count[Status.FAILS]:
        return Verdict(False, f"DOES NOT CONFORM: {count[Status.FAILS]} of {total} requirements fail; {known}; {run}")
    if lost:
        return Verdict(False, f"NO VERDICT: {lost} selected tests ended without an answer; {known}; {run}")
    if certify and unrun_musts:
        return Verdict(False, f"NOT CERTIFIED: {unrun_musts} requirements of level must were not run; {known}")
    if not count[Status.CONFORMS]:
        return Verdict(False, f"NO VERDICT: none of {total} requirements could be judged; {known}; {run}")
    if count[Status.NOT_RUN]:
        return Verdict(True, f"CONFORMS AS FAR AS RUN: {run} of {total} requirements; {known}")
    return Verdict(True, f"CONFORMS: {total} requirements; {known}; {run}")


def interrupted_verdict(table: Sequence[RequirementResult], reason: str) -> Verdict:
    """What can be said when the environment failed on the way: how far the run came."""
    count = Counter(row.status for row in table)
    judged = f"{len(table) - count[Status.NOT_RUN]} of {len(table)} requirements were judged until then"
    return Verdict(False, f"ENVIRONMENT FAILED: {reason}; {judged}, {count[Status.FAILS]} fail")
