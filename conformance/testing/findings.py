"""Findings: what a check of a user's model found, and whether it fails the test."""

from dataclasses import dataclass
from typing import Literal

from conformance.checks.outcome import Outcome
from conformance.testing.diagnosis import diagnose
from conformance.testing.model import Model
from conformance.testing.settings import PLAIN, Settings

Verdict = Literal["passed", "failed", "skipped", "expected failure", "accepted"]


@dataclass(frozen=True)
class Finding:
    """The result of one requirement for one model; `vars(finding)` is a row of a table.

    `outcome`: "passed", "failed", "skipped" (it does not apply), "expected failure" or "accepted".
    `status`: "right", "wrong", "refused", "refused unclearly" or "not applicable", with its `message`.
    `operation`, `module`, `source`: where it fails, as `conformance check` says it, or None.
    `fixes`: suggested fixes. `slow`: operations that ran one member at a time.
    `known`: the id of the known failure of torch that it shows, or None.
    `expected_to_fail`, `reason`: from `expected_failures`. `exception`: the error with its traceback, or None.
    """

    model: str
    requirement: str
    outcome: Verdict
    status: str
    message: str
    operation: str | None
    module: str | None
    source: str | None
    fixes: tuple[str, ...]
    slow: tuple[str, ...]
    known: str | None
    expected_to_fail: bool
    reason: str | None
    exception: Exception | None


def find(requirement: str, model: Model, settings: Settings, reason: str | None) -> Finding:
    """Check a requirement; `reason` says why it is expected to fail, if it is."""
    diagnosis = diagnose(requirement, model, settings)
    found, place = diagnosis.found, diagnosis.place
    accepted = bool({requirement, diagnosis.known} & {*settings.accept})
    return Finding(
        model=model.name,
        requirement=requirement,
        outcome=_judge(requirement, found.status, reason, accepted=accepted),
        status=found.status.value,
        message=found.message,
        operation=place.operation,
        module=place.module,
        source=place.source,
        fixes=diagnosis.fixes,
        slow=found.slow,
        known=diagnosis.known,
        expected_to_fail=reason is not None,
        reason=reason,
        exception=found.error,
    )


def _judge(requirement: str, status: Outcome, reason: str | None, *, accepted: bool) -> Verdict:
    bad = status not in (Outcome.RIGHT, Outcome.NOT_APPLICABLE)
    if reason is not None:
        return "expected failure" if bad else "failed"
    if status is Outcome.RIGHT:
        return "passed"
    if bad:
        return "accepted" if accepted else "failed"
    return "failed" if requirement == PLAIN else "skipped"
