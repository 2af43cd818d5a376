"""The steps of a check of one model: each check, with the location of a failure, and the timings."""

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from traceback import extract_tb
from typing import Any

import torch

from conformance.checks.draw_checks import behavior_of_same
from conformance.checks.draw_checks import randomness as draws
from conformance.checks.leftovers import LeftoverError
from conformance.checks.outcome import CheckResult, Outcome
from conformance.checks.subject import Subject
from conformance.implementations.protocol import Implementation
from conformance.model_check import cost
from conformance.model_check.asking import Asking, Way
from conformance.model_check.difference_location import locate_difference
from conformance.model_check.empty_output import empty_output_reason
from conformance.model_check.failure_location import locate_failure
from conformance.model_check.known_failures import find_known_failure
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.options import Request, UsageError
from conformance.model_check.snippet import snippet_result
from conformance.model_check.steps import CONVERSION, COSTS, FORWARDS, OWN_MINIBATCH
from conformance.utils.text import describe_error
from conformance.utils.timing import device_clock

CALLS: dict[str, Callable[[Subject], cost.Calls]] = {
    "speed_forward": cost.forward_calls,
    "speed_backward": cost.backward_calls,
}
# Size in bytes from which the C allocator returns freed memory at once, so that each use causes page faults.
LARGE = 2**25
# Innermost frames in which two failures with one message have the same location.
DEEP = 4


@dataclass(frozen=True)
class StepRunner:
    """The checks and timings of one model. `dtype`: see `options.Request`."""

    case: LoadedModel
    implementation: Implementation
    device: torch.device
    dtype: torch.dtype | None
    members: int
    request: Request | None = None
    _places: dict[Any, dict[str, Any]] = field(default_factory=dict)

    def run(self, step: str) -> dict[str, Any]:
        """Run a step and return its result."""
        if step == CONVERSION:
            return self.convert()
        return self.measure(step) if step in COSTS else self.run_check(step)

    def convert(self) -> dict[str, Any]:
        """Return whether float64 copies give what the model gives, and how it is checked if they do not."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = self.case.conversion
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - a model and its inputs may raise anything
            return {"status": "not applicable", "message": f"can't call the model: {describe_error(error)}"}
        except BaseException as error:  # noqa: BLE001 - a model that wants to end the process
            return _crash(error)
        return {"status": "not applicable" if found.sentence else "right", "message": found.sentence, "slow": []}

    def run_check(self, step: str) -> dict[str, Any]:
        """Run a check and return its result, with the form in which it was asked and the location of a failure."""
        try:
            refusal = self._mode_reason(step) or self.case.conversion.problem
            if refusal:
                return {"status": "not applicable", "message": refusal, "slow": []}
            found, way = self.asking.ask(step)
            if step in FORWARDS and found.status is Outcome.RIGHT:
                empty = empty_output_reason(
                    self.asking.subject(way), needs_grad=not self.asking.behavior(OWN_MINIBATCH).needs_no_grad
                )
                found = CheckResult(Outcome.NOT_APPLICABLE, empty) if empty else found
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - copying and converting a model may raise any error
            return {"status": "not applicable", "message": f"can't copy the members: {describe_error(error)}"}
        except BaseException as error:  # noqa: BLE001 - a model that wants to end the process
            return _crash(error)
        result: dict[str, Any] = {"status": found.status.value, "message": found.message, "slow": list(found.slow)}
        result |= {"form": way.form} if way.form else {}
        # What follows is worth having, and the result is known without it.
        with suppress(BaseException), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the check has its warnings already
            result |= self._details(step, found, way)
        return result

    @cached_property
    def asking(self) -> Asking:
        """The ways in which the checks are asked."""
        gradients = self.request is None or "backward" in self.request.steps
        return Asking(self.case, self.implementation, self.device, self.dtype, self.members, gradients)

    def _mode_reason(self, step: str) -> str | None:
        """Return the reason why a step is not asked in a mode that the options leave out, or None."""
        training = bool(self.case.made[0].training)
        asked = (self.request and self.request.modes) or (("train", "eval") if training else ("eval",))
        other = "eval" if training else "train"
        if step == "modes" and other not in asked:
            return f"{other} mode is not asked (--modes train,eval asks both)"
        if step == "buffers" and "train" not in asked:
            return "train mode is not asked (--modes train,eval asks both)"
        return None

    def _details(self, step: str, found: CheckResult, way: Way) -> dict[str, Any]:
        """Return what is known about a failure, and about mode "same" of a model that draws."""
        if step == "randomness" and way.check is draws and found.status is Outcome.RIGHT:
            return {"same": behavior_of_same(self._subject(self.dtype))}
        if found.status is Outcome.WRONG:
            known = find_known_failure(step, found.message, way, self.asking)
            return ({"known": known} if known else {}) | self._difference(step, found, way)
        if found.error is None or isinstance(found.error, LeftoverError):
            return {}
        key = (
            found.message,
            tuple((each.filename, each.lineno) for each in extract_tb(found.error.__traceback__)[-DEEP:]),
        )
        if key not in self._places:
            again = partial(way.check, self.asking.subject(way))
            self._places[key] = vars(locate_failure(found.error, again))
        return self._places[key]

    def _difference(self, step: str, found: CheckResult, way: Way) -> dict[str, Any]:
        """Return the location of a wrong result; a distribution has none."""
        if way.is_by_distribution:
            return {}
        return vars(locate_difference(step, found.message, self.asking.subject(way)))

    def measure(self, step: str) -> dict[str, Any]:
        """Time a call by loop and by vmap, and return the result."""
        try:
            # The checks report the slow operations already.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._timed(CALLS[step])
        except Exception as error:  # noqa: BLE001 - the checks report why a call fails
            return {"status": "not measured", "message": describe_error(error)}
        except BaseException as error:  # noqa: BLE001 - as above
            return _crash(error)

    def make_snippet(self, request: Request, statuses: Mapping[str, str]) -> dict[str, Any]:
        """Return the code that ensembles the model, given the statuses of the checks."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return snippet_result(self.case, request, self.device, statuses)
            except Exception as error:  # noqa: BLE001 - the user's model runs
                return {"status": "not shown", "message": describe_error(error)}
            except BaseException as error:  # noqa: BLE001 - as above
                return _crash(error)

    def _timed(self, calls: Callable[[Subject], cost.Calls]) -> dict[str, Any]:
        dtype = self.dtype or torch.get_default_dtype()
        asked = calls(self._subject(dtype))
        rows = cost.time_by_members(
            asked, lambda n: calls(self._subject(dtype, n)), self.members, device_clock(self.device)
        )
        peaks = cost.peak_memory(asked, self.device)
        wanted = next(row for row in rows if row["members"] == self.members)
        status = wanted["speed"]
        large = self.device.type == "cpu" and peaks["vmap"] >= LARGE
        status = f"{status} with large activations" if status == "slower" and large else status
        crossing = cost.break_even(rows)
        return {"status": status, "message": "", "asked": wanted, "rows": rows, "crossing": crossing, "peak": peaks}

    def _subject(self, dtype: torch.dtype | None, n: int | None = None) -> Subject:
        return Subject(self.case, self.implementation, self.device, dtype, n or self.members)


def _crash(error: BaseException) -> dict[str, Any]:
    return {"status": "crash", "message": f"the model raises {describe_error(error)}"}
