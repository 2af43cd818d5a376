"""The diagnosis of one check, as `conformance check` makes it: result, known failure, location and suggested fixes.

The rest of the package takes it as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from conformance.checks.model_checks import CHECKS
from conformance.checks.outcome import CheckResult, Outcome, run_check
from conformance.checks.subject import Subject
from conformance.model_check.empty_output import empty_output_reason
from conformance.model_check.failure_location import FailureLocation, locate_failure
from conformance.model_check.model_facts import module_features
from conformance.model_check.remedies import Remedy, load_remedies
from conformance.testing.model import Model, seeded
from conformance.testing.settings import PLAIN, Settings
from conformance.utils.text import describe_error

# The reproducer of the failure of torch that each of these suggested fixes works around.
KNOWN_FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "padding-row": "vmap_embedding_padding_idx_gets_gradient",
        "index-out-of-range": "vmap_embedding_reads_neighbours",
        "tied-on-meta": "meta_operand_gives_uninitialized_memory",
        "hooks": "vmap_leaves_out_backward_hooks",
    }
)
PLAIN_CHECK = PLAIN.removeprefix("modules.")
NOWHERE = FailureLocation(None, None, None)
REFUSALS = (Outcome.REFUSED, Outcome.REFUSED_UNCLEARLY)


@dataclass(frozen=True)
class Diagnosis:
    """The result of a check, with the id of the known failure that it shows, its location and suggested fixes."""

    found: CheckResult
    known: str | None
    place: FailureLocation
    fixes: tuple[str, ...]


def diagnose(requirement: str, model: Model, settings: Settings) -> Diagnosis:
    """Check a requirement. Raises what the factory of the model raises."""
    name = requirement.removeprefix("modules.")
    model.loaded(settings.members)
    with seeded(model.seed):
        found = _checked(name, model, settings)
        place = _locate(name, found, model, settings) if found.status in REFUSALS or requirement == PLAIN else NOWHERE
    remedies = _fitting_remedies(name, found, model, settings)
    return Diagnosis(found, _known_failure(found, remedies), place, tuple(row.advice for row in remedies))


def _checked(name: str, model: Model, settings: Settings) -> CheckResult:
    case, implementation = model.loaded(settings.members), settings.under_test
    try:
        found = run_check(CHECKS[name], case, implementation, settings.device, settings.dtype, settings.members)
        plain = name == PLAIN_CHECK and found.status is Outcome.RIGHT
        empty = empty_output_reason(_subject(model, settings)) if plain else None
    except Exception as error:  # noqa: BLE001 - copying and converting a model may raise any error
        return CheckResult(Outcome.NOT_APPLICABLE, f"can't copy the members: {describe_error(error)}", error=error)
    return CheckResult(Outcome.NOT_APPLICABLE, empty) if empty else found


def _subject(model: Model, settings: Settings) -> Subject:
    case, implementation = model.loaded(settings.members), settings.under_test
    return Subject(case, implementation, settings.device, settings.dtype, settings.members)


def _locate(name: str, found: CheckResult, model: Model, settings: Settings) -> FailureLocation:
    """Return the location of a failure; one that is refused in the words of an earlier one is where that one is."""
    if found.error is None:
        return NOWHERE
    if found.message not in model.locations:
        model.locations[found.message] = _observed_location(
            found.error, lambda: CHECKS[name](_subject(model, settings))
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


def _fitting_remedies(name: str, found: CheckResult, model: Model, settings: Settings) -> list[Remedy]:
    if found.status is Outcome.RIGHT:
        return []
    held = module_features(model.loaded(settings.members).made[0])
    return [row for row in load_remedies() if row.fits(name, found.status.value, found.message, held)]


def _known_failure(found: CheckResult, remedies: Sequence[Remedy]) -> str | None:
    """Return the id of the known failure of torch that a wrong result shows, or None."""
    if found.status is not Outcome.WRONG:
        return None
    return next((KNOWN_FAILURES[row.name] for row in remedies if row.name in KNOWN_FAILURES), None)
