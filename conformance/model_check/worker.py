"""The work of the child process: it loads the model and runs each step.

An event is a pair of a name and plain data: ("environment", facts), ("model", facts), ("begin", step), ("end", result).
"""

import random
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from conformance.checks.calls import call_model
from conformance.checks.model_checks import CHECKS
from conformance.checks.outcome import CheckResult, Outcome, run_check
from conformance.checks.subject import Subject, output_tensors
from conformance.devices import probe
from conformance.devices.environment import environment_facts
from conformance.implementations.protocol import Implementation, unavailable_reason
from conformance.implementations.registry import load_implementation
from conformance.model_check import cost
from conformance.model_check.failure_location import locate_failure
from conformance.model_check.input_spec import DTYPES
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.model_facts import describe_model
from conformance.model_check.model_loader import load_model
from conformance.model_check.options import CannotAnswerError, Request, UsageError
from conformance.model_check.result import FORWARD, SNIPPET
from conformance.model_check.snippet import snippet_result
from conformance.utils.suggestions import invalid_choice
from conformance.utils.text import describe_error, text_of
from conformance.utils.timing import device_clock

Event = tuple[str, Any]
COSTS: dict[str, Callable[[Subject], cost.Calls]] = {
    "speed_forward": cost.forward_calls,
    "speed_backward": cost.backward_calls,
}
CHECK_STEPS, STEPS = tuple(CHECKS), (*CHECKS, *COSTS)
# The statuses of steps that a model is not asked which does not run by itself; checks are "not applicable".
UNASKED = {**dict.fromkeys(COSTS, "not measured"), SNIPPET: "not shown"}
# Size in bytes from which the C allocator returns freed memory at once, so that each use causes page faults.
LARGE = 2**25


def run_steps(request: Request, done: Collection[str]) -> Iterator[Event]:
    """Load the model, run all steps but those in `done`, and yield the events.

    Raises UsageError and CannotAnswerError.
    """
    device, implementation = _resolve_device(request), _load_implementation(request)
    random.seed(request.seed)
    torch.manual_seed(request.seed)
    yield "environment", environment_facts(device)
    case, facts = _load(request)
    yield "model", facts
    dtype = DTYPES[request.dtype] if request.dtype else None
    runner = StepRunner(case, implementation, device, dtype, request.members)
    failure = None
    answers: dict[str, dict[str, Any]] = {}
    for step in steps_of(request):
        if step in done:
            continue
        yield "begin", step
        if failure is not None:
            answer = {"status": UNASKED.get(step, "not applicable"), "message": failure}
        elif step == SNIPPET:
            answer = runner.make_snippet(request, {name: each["status"] for name, each in answers.items()})
        else:
            answer = runner.run_check(step) if step in CHECKS else runner.measure(step)
        answers[step] = answer
        yield "end", answer
        if step == FORWARD and answer["status"] == "not applicable":
            failure = answer["message"]  # a model that does not run by itself is not asked again


def steps_of(request: Request) -> tuple[str, ...]:
    """Return the steps of a check, in their order."""
    return (*(STEPS if request.speed else CHECK_STEPS), *([SNIPPET] if request.snippet else []))


def _resolve_device(request: Request) -> torch.device:
    try:
        if request.device_module:
            probe.load_module(request.device_module)
        return probe.resolve_device(request.device)
    except probe.UnusableDeviceError as error:
        raise CannotAnswerError(text_of(error)) from error
    except (probe.UnknownDeviceError, probe.UnknownModuleError) as error:
        raise UsageError(f"--device {request.device}: {error}") from error


def _load(request: Request) -> tuple[LoadedModel, dict[str, Any]]:
    """Return the loaded model and the facts about it."""
    try:
        case = load_model(request)
        return case, describe_model(case)
    except UsageError:
        raise
    except BaseException as error:  # a model may raise anything wherever it is touched
        raise UsageError(f"{request.model}: loading it raises {describe_error(error)}") from error


def _load_implementation(request: Request) -> Implementation:
    if request.dtype and request.dtype not in DTYPES:
        raise UsageError(f"--dtype: {invalid_choice(request.dtype, DTYPES)}")
    try:
        found = load_implementation(request.implementation)
    except ValueError as error:
        raise UsageError(f"--implementation: {error}") from error
    unavailable = unavailable_reason(found)
    if unavailable:
        raise UsageError(f"--implementation {request.implementation}: {unavailable}")
    return found


@dataclass(frozen=True)
class StepRunner:
    """The checks and timings of one model. `dtype`: see `options.Request`."""

    case: LoadedModel
    implementation: Implementation
    device: torch.device
    dtype: torch.dtype | None
    members: int

    def run_check(self, step: str) -> dict[str, Any]:
        """Run a check and return its result, with the location of a failure."""
        check = CHECKS[step]
        try:
            found = run_check(check, self.case, self.implementation, self.device, self.dtype, self.members)
            if step == FORWARD and found.status is Outcome.RIGHT:
                empty = self._empty_output()
                found = CheckResult(Outcome.NOT_APPLICABLE, empty) if empty else found
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - copying and converting a model may raise any error
            return {"status": "not applicable", "message": f"can't copy the members: {describe_error(error)}"}
        except BaseException as error:  # noqa: BLE001 - a model that wants to end the process
            return _crash(error)
        result: dict[str, Any] = {"status": found.status.value, "message": found.message, "slow": list(found.slow)}
        if found.error is not None and found.status is not Outcome.WRONG:
            # The place is worth having, and the result is known without it.
            with suppress(BaseException):
                result |= vars(locate_failure(found.error, lambda: check(self._subject(self.dtype))))
        return result

    def measure(self, step: str) -> dict[str, Any]:
        """Time a call by loop and by vmap, and return the result."""
        try:
            # The checks report the slow operations already.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._timed(COSTS[step])
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

    def _empty_output(self) -> str | None:
        """Return the reason why the outputs prove nothing although they are right, or None."""
        outputs = [
            leaf for model, x in self._subject(self.dtype).pairs for leaf in output_tensors(call_model(model, x))
        ]
        if not any(leaf.numel() for leaf in outputs):
            return "the plain module returns no numbers"
        if not any(leaf.layout != torch.strided or leaf.isfinite().any() for leaf in outputs):
            return "the plain module returns only NaN and infinity"
        return None

    def _subject(self, dtype: torch.dtype | None, n: int | None = None) -> Subject:
        return Subject(self.case, self.implementation, self.device, dtype, n or self.members)


def _crash(error: BaseException) -> dict[str, Any]:
    return {"status": "crash", "message": f"the model raises {describe_error(error)}"}
