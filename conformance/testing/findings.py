"""Findings: what a check of a user's model found, where, and what may help."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from conformance.checks.model_checks import CHECKS, Check
from conformance.checks.outcome import CheckResult, Outcome, run_check
from conformance.checks.subject import Subject
from conformance.model_check.failure_location import FailureLocation, locate_failure
from conformance.model_check.model_facts import module_features
from conformance.model_check.remedies import Remedy, load_remedies
from conformance.testing.model import Model
from conformance.testing.settings import PLAIN, Settings
from conformance.utils.text import describe_error

Verdict = Literal["passed", "failed", "skipped", "expected failure", "accepted"]
# The reproducer of the failure of torch that each of these suggested fixes works around.
KNOWN_FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "padding-row": "vmap_embedding_padding_idx_gets_gradient",
        "index-out-of-range": "vmap_embedding_reads_neighbours",
        "tied-on-meta": "meta_operand_gives_uninitialized_memory",
        "hooks": "vmap_leaves_out_backward_hooks",
    }
)
NOWHERE = FailureLocation(None, None, None)
REFUSALS = (Outcome.REFUSED, Outcome.REFUSED_UNCLEARLY)


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
    found = _checked(requirement, model, settings)
    remedies = _fitting_remedies(requirement, found, model, settings)
    known = _known_failure(found, remedies)
    place = _locate(requirement, found, model, settings)
    return Finding(
        model=model.name,
        requirement=requirement,
        outcome=_judge(requirement, found.status, reason, accepted=bool({requirement, known} & {*settings.accept})),
        status=found.status.value,
        message=found.message,
        operation=place.operation,
        module=place.module,
        source=place.source,
        fixes=tuple(row.advice for row in remedies),
        slow=found.slow,
        known=known,
        expected_to_fail=reason is not None,
        reason=reason,
        exception=found.error,
    )


def _checked(requirement: str, model: Model, settings: Settings) -> CheckResult:
    model.loaded(settings.members)  # what the factory raises is the user's to see
    try:
        return run_check(
            _check_of(requirement), model, settings.under_test, settings.device, settings.dtype, settings.members
        )
    except Exception as error:  # noqa: BLE001 - copying and converting a model may raise any error
        return CheckResult(Outcome.NOT_APPLICABLE, f"can't copy the members: {describe_error(error)}", error=error)


def _check_of(requirement: str) -> Check:
    return CHECKS[requirement.removeprefix("modules.")]


def _judge(requirement: str, status: Outcome, reason: str | None, *, accepted: bool) -> Verdict:
    bad = status not in (Outcome.RIGHT, Outcome.NOT_APPLICABLE)
    if reason is not None:
        return "expected failure" if bad else "failed"
    if status is Outcome.RIGHT:
        return "passed"
    if bad:
        return "accepted" if accepted else "failed"
    return "failed" if requirement == PLAIN else "skipped"


def _locate(requirement: str, found: CheckResult, model: Model, settings: Settings) -> FailureLocation:
    """Return the location of a failure; one that is refused in the words of an earlier one is where that one is."""
    if found.error is None or not (found.status in REFUSALS or requirement == PLAIN):
        return NOWHERE
    if found.message not in model.locations:
        model.locations[found.message] = _observed_location(
            found.error,
            lambda: _check_of(requirement)(
                Subject(model, settings.under_test, settings.device, settings.dtype, settings.members)
            ),
        )
    return model.locations[found.message]


def _observed_location(error: Exception, again: Callable[[], Any]) -> FailureLocation:
    """Return the location of a failure; Ctrl-C and a test's timeout end the test and not only the search."""
    interrupts: list[BaseException] = []

    def observed() -> None:
        try:
            again()
        except Exception:
            raise
        except BaseException as interrupt:
            interrupts.append(interrupt)
            raise

    place = NOWHERE
    # The location is worth having, and the result is known without it.
    with suppress(Exception):
        place = locate_failure(error, observed)
    if interrupts:
        raise interrupts[0]
    return place


def _fitting_remedies(requirement: str, found: CheckResult, model: Model, settings: Settings) -> list[Remedy]:
    if found.status is Outcome.RIGHT:
        return []
    held = module_features(model.loaded(settings.members).made[0])
    name = requirement.removeprefix("modules.")
    return [row for row in load_remedies() if row.fits(name, found.status.value, found.message, held)]


def _known_failure(found: CheckResult, remedies: Sequence[Remedy]) -> str | None:
    """Return the id of the known failure of torch that a wrong result shows, or None."""
    if found.status is not Outcome.WRONG:
        return None
    return next((KNOWN_FAILURES[row.name] for row in remedies if row.name in KNOWN_FAILURES), None)
