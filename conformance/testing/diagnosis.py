"""The diagnosis of one check, as `conformance check` makes it: result, known failure, location and suggested fixes.

The rest of the package takes it as it is.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from conformance.checks.outcome import CheckResult, Outcome
from conformance.model_check.asking import Asking, Way
from conformance.model_check.difference_location import locate_difference
from conformance.model_check.empty_output import empty_output_reason
from conformance.model_check.failure_location import FailureLocation, locate_failure
from conformance.model_check.known_failures import find_known_failure
from conformance.model_check.model_facts import module_features
from conformance.model_check.remedies import suggest_fixes
from conformance.testing.model import Model, seeded
from conformance.testing.settings import PLAIN, Settings
from conformance.utils.text import describe_error

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
    case = model.loaded(settings.members)
    asking = Asking(case, settings.under_test, torch.device(settings.device), settings.dtype, settings.members)
    with seeded(model.seed):
        found, way = _ask(name, asking)
        known = find_known_failure(name, found.message, way, asking) if found.status is Outcome.WRONG else None
        place = _locate(name, found, way, model, asking)
    return Diagnosis(found, known, place, _fixes(name, found, place, module_features(case.made[0])))


def _ask(name: str, asking: Asking) -> tuple[CheckResult, Way]:
    try:
        found, way = asking.ask(name)
        plain = name == PLAIN_CHECK and found.status is Outcome.RIGHT
        empty = (
            empty_output_reason(asking.subject(way), needs_grad=not asking.behavior(name).needs_no_grad)
            if plain
            else None
        )
    except Exception as error:  # noqa: BLE001 - copying and converting a model may raise any error
        message = f"can't copy the members: {describe_error(error)}"
        return CheckResult(Outcome.NOT_APPLICABLE, message, error=error), Way(_nothing, asking.case)
    return (CheckResult(Outcome.NOT_APPLICABLE, empty) if empty else found), way


def _nothing(_: Any) -> None:
    """Ask nothing."""


def _locate(name: str, found: CheckResult, way: Way, model: Model, asking: Asking) -> FailureLocation:
    """Return the location of a failure; one that is refused in the words of an earlier one is where that one is."""
    if found.status is Outcome.WRONG and not way.is_by_distribution:
        return _uninterrupted(lambda run: locate_difference(name, found.message, run(lambda: asking.subject(way))))
    if found.error is None or not (found.status in REFUSALS or name == PLAIN_CHECK):
        return NOWHERE
    error = found.error
    if found.message not in model.locations:
        model.locations[found.message] = _uninterrupted(
            lambda run: locate_failure(error, lambda: run(lambda: way.check(asking.subject(way))))
        )
    return model.locations[found.message]


def _uninterrupted(locate: Callable[[Callable[[Callable[[], Any]], Any]], FailureLocation]) -> FailureLocation:
    """Return the location that `locate(run)` finds; Ctrl-C and a test's timeout end the test, not the search alone.

    `locate` passes what calls the model to `run`.
    """
    interrupts: list[BaseException] = []

    def run(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception:
            raise
        except BaseException as interrupt:
            interrupts.append(interrupt)
            raise

    place = NOWHERE
    # The location is worth having, and the result is known without it.
    with suppress(Exception):
        place = locate(run)
    if interrupts:
        raise interrupts[0]
    return place


def _fixes(name: str, found: CheckResult, place: FailureLocation, held: list[str]) -> tuple[str, ...]:
    if found.status is Outcome.RIGHT:
        return ()
    answer = {"status": found.status.value, "message": found.message, **vars(place)}
    return tuple(row["advice"] for row in suggest_fixes({name: answer}, held))
