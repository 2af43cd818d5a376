"""The verdict of a run: one sentence, and whether it is positive.

Its words: CONFORMS (nothing fails), NO NEW FAILURES (what fails is recorded), DOES NOT CONFORM (something fails that
nothing records), INCOMPLETE (interrupted, lost or not run). Only the first two are positive.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.report.case_change import WRONG
from conformance.report.results import FAILING, RequirementResult, Status

# A positive verdict that is not about everything says so beside its word.
IN_PART = " AS FAR AS RUN"


@dataclass(frozen=True)
class Verdict:
    """The verdict of a run."""

    conforms: bool
    sentence: str


def decide_verdict(table: Sequence[RequirementResult], *, certify: bool) -> Verdict:
    """Return the verdict: negative for any failure or lost case and, with `certify`, for a "must" that was not run."""
    count = Counter(row.status for row in table)
    total = len(table)
    cases = [case for row in table for case in row.cases]
    lost = sum(case.lost for case in cases)
    unrun_musts = sum(row.status is Status.NOT_RUN and row.requirement.level == "must" for row in table)
    known = known_failures_phrase(table)
    not_run = [f"{count[Status.NOT_RUN]} were not run, or not in full"] * bool(count[Status.NOT_RUN])
    rest = [*([known] * bool(count[Status.KNOWN_FAILURE])), *not_run]
    failing = sum(count[status] for status in FAILING)
    if failing:
        unstable = f", {count[Status.UNSTABLE]} of them unstable" * bool(count[Status.UNSTABLE])
        return Verdict(False, _sentence(f"DOES NOT CONFORM: {failing} of {total} requirements fail{unstable}", rest))
    if lost:
        return Verdict(False, _sentence(f"INCOMPLETE: {lost} selected tests ended without an answer", rest))
    if certify and unrun_musts:
        return Verdict(False, _sentence(f"INCOMPLETE: {unrun_musts} requirements of level must were not run", rest))
    # A part of a requirement is an answer too, be it a known failure.
    if not any(case.status in (Status.CONFORMS, Status.KNOWN_FAILURE) for case in cases):
        return Verdict(False, f"INCOMPLETE: none of {total} requirements could be judged")
    in_part = IN_PART * bool(not_run)
    if count[Status.KNOWN_FAILURE]:
        return Verdict(True, _sentence(f"NO NEW FAILURES{in_part}: {known}", not_run))
    return Verdict(True, _sentence(f"CONFORMS{in_part}: none of {total} requirements fails", not_run))


def known_failures_phrase(table: Sequence[RequirementResult]) -> str:
    """Return how many requirements fail as recorded, how many of them are musts, and how many are silently wrong."""
    known = [row for row in table if row.status is Status.KNOWN_FAILURE]
    musts = sum(row.requirement.level == "must" for row in known)
    silent = sum(row.effect == WRONG for row in known)
    return f"{len(known)} of {len(table)} fail as recorded, {musts} of them musts, {silent} with silently wrong results"


def incomplete_verdict(table: Sequence[RequirementResult], reason: str) -> Verdict:
    """Return the verdict of a run that did not reach its end, be it interrupted or left by its device."""
    count = Counter(row.status for row in table)
    judged = f"{len(table) - count[Status.NOT_RUN]} of {len(table)} requirements were judged until then"
    return Verdict(False, f"{reason}; {judged}, {sum(count[status] for status in FAILING)} fail")


def _sentence(first: str, rest: Iterable[str]) -> str:
    return "; ".join([first, *rest])
