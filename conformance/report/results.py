"""The result model: statuses of cases are combined per requirement and implementation, and these make up the table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from conformance.spec.entry_rules import EFFECTS
from conformance.spec.requirements import Requirement


class Status(StrEnum):
    """The status of a requirement or of one of its cases."""

    CONFORMS = "conforms"
    KNOWN_FAILURE = "known failure"
    NOT_APPLICABLE = "not applicable"
    NOT_RUN = "not run"
    FAILS = "fails"
    UNSTABLE = "unstable"


# Statuses that fail a run. An unstable case gave several answers to the same question.
FAILING = (Status.FAILS, Status.UNSTABLE)


@dataclass(frozen=True)
class Finding:
    """The outcome of one test, as sent from the process that ran it to the report.

    `budget_share`: the largest share of the error budget used by a comparison, or None without a comparison. `lost`:
    the test was selected but ended without an answer. `layer`, `script`: for a failure, the first layer that differs
    and a reproducer. `duration`: in seconds. `effect`, `observed`: for a known failure, what it does to a user and the
    start of what was observed; `message` is then the recorded reason. `raises`: for a failure, the builtin exception
    type that an expectation would name; empty if there is none.
    """

    status: Status
    message: str = ""
    budget_share: float | None = None
    lost: bool = False
    layer: str = ""
    script: str = ""
    duration: float = 0.0
    effect: str = ""
    observed: str = ""
    raises: str = ""


@dataclass(frozen=True)
class CaseResult:
    """The result of one test with its parameters; `dtype` is empty for a test without a dtype. See `Finding`."""

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
    effect: str = ""
    observed: str = ""
    raises: str = ""


@dataclass(frozen=True)
class RequirementResult:
    """The result of one requirement for one implementation."""

    requirement: Requirement
    implementation: str
    status: Status
    cases: Sequence[CaseResult]

    @property
    def effect(self) -> str:
        """The worst effect of its known failures; an empty string if there is none."""
        found = {case.effect for case in self.cases if case.status is Status.KNOWN_FAILURE}
        return next((effect for effect in EFFECTS if effect in found), "")


def combine_statuses(cases: Sequence[CaseResult]) -> Status:
    """Return the status of a requirement: the worst of its cases; "not run" if one was lost and none fails."""
    found = {case.status for case in cases}
    if any(case.lost for case in cases) and found.isdisjoint(FAILING):
        return Status.NOT_RUN
    for status in (*reversed(FAILING), Status.KNOWN_FAILURE, Status.NOT_RUN, Status.CONFORMS, Status.NOT_APPLICABLE):
        if status in found:
            return status
    return Status.NOT_RUN


def requirement_results(
    requirements: Mapping[str, Requirement], implementations: Sequence[str], cases: Iterable[CaseResult]
) -> list[RequirementResult]:
    """Return a row for every requirement and implementation, run or not."""
    by_key: dict[tuple[str, str], list[CaseResult]] = {}
    for case in sorted(cases, key=lambda case: case.test):
        by_key.setdefault((case.requirement, case.implementation), []).append(case)
    return [
        RequirementResult(requirement, name, combine_statuses(found := by_key.get((requirement.id, name), [])), found)
        for name in implementations
        for requirement in requirements.values()
    ]
