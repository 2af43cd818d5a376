"""The work of the child process: it loads the model and runs each step.

An event is a pair of a name and plain data: ("environment", facts), ("model", facts), ("begin", step), ("end", result).
"""

import random
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from traceback import extract_tb
from typing import Any

import torch

from conformance.checks.calls import call_model
from conformance.checks.draw_checks import behavior_of_same
from conformance.checks.draw_checks import randomness as draws
from conformance.checks.leftovers import LeftoverError
from conformance.checks.outcome import CheckResult, Outcome
from conformance.checks.subject import Subject, output_tensors
from conformance.devices import probe
from conformance.devices.environment import environment_facts
from conformance.implementations.protocol import Implementation, unavailable_reason
from conformance.implementations.registry import load_implementation
from conformance.model_check import cost
from conformance.model_check.asking import Asking, Way
from conformance.model_check.conversion import dtype_name, own_dtypes
from conformance.model_check.difference_location import locate_difference
from conformance.model_check.failure_location import locate_failure
from conformance.model_check.input_spec import DTYPES
from conformance.model_check.known_failures import find_known_failure
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.model_facts import describe_model
from conformance.model_check.model_loader import load_model
from conformance.model_check.options import CannotAnswerError, Request, UsageError
from conformance.model_check.plain_call import libraries_drawn
from conformance.model_check.snippet import snippet_result
from conformance.model_check.steps import CONVERSION, COSTS, FORWARDS, OWN_MINIBATCH, SNIPPET
from conformance.utils.suggestions import invalid_choice
from conformance.utils.text import describe_error, text_of
from conformance.utils.timing import device_clock

Event = tuple[str, Any]
CALLS: dict[str, Callable[[Subject], cost.Calls]] = {
    "speed_forward": cost.forward_calls,
    "speed_backward": cost.backward_calls,
}
# The statuses of steps that a model is not asked which does not run by itself; checks are "not applicable".
UNASKED = {**dict.fromkeys(COSTS, "not measured"), SNIPPET: "not shown"}
# Size in bytes from which the C allocator returns freed memory at once, so that each use causes page faults.
LARGE = 2**25
# Innermost frames in which two failures with one message have the same location.
DEEP = 4


def run_steps(request: Request, done: Collection[str]) -> Iterator[Event]:
    """Load the model, run all steps but those in `done`, and yield the events.

    Raises UsageError and CannotAnswerError.
    """
    device, implementation = _resolve_device(request), _load_implementation(request)
    random.seed(request.seed)
    torch.manual_seed(request.seed)
    yield "environment", environment_facts(device)
    case, facts = _load(request)
    yield "model", facts | {"draws": [] if done else libraries_drawn(case, request, device)}
    dtype = DTYPES[request.dtype] if request.dtype else None
    runner = StepRunner(case, implementation, device, dtype, len(case.made), request)
    answers: dict[str, dict[str, Any]] = {}
    for step in request.steps:
        if step in done:
            continue
        yield "begin", step
        failure = _plain_failure(answers, request)
        if failure is not None:
            answers[step] = {"status": UNASKED.get(step, "not applicable"), "message": failure}
        elif step == SNIPPET:
            answers[step] = runner.make_snippet(request, {name: each["status"] for name, each in answers.items()})
        else:
            answers[step] = runner.run(step)
        yield "end", answers[step]


def _plain_failure(answers: Mapping[str, Mapping[str, Any]], request: Request) -> str | None:
    """Return why the model does not run by itself, once that is known, or None: then nothing else is asked."""
    forwards = [step for step in FORWARDS if step in request.steps]
    if not forwards or any(answers.get(step, {}).get("status") != "not applicable" for step in forwards):
        return None
    return str(answers[forwards[0]]["message"])


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
        _set_mode(case, request.modes)
        dtypes = [
            request.dtype or dtype_name(probe.finest_dtype(request.device)),
            *map(dtype_name, own_dtypes(case.made)),
        ]
        facts = {"members": len(case.made), "origin": case.origin, "dtypes": list(dict.fromkeys(dtypes))}
        return case, describe_model(case) | facts
    except UsageError:
        raise
    except BaseException as error:  # a model may raise anything wherever it is touched
        raise UsageError(f"{request.model}: loading it raises {describe_error(error)}") from error


def _set_mode(case: LoadedModel, modes: Sequence[str]) -> None:
    """Put the members in the first of the modes that are asked, unless they are in one of them."""
    training = case.made[0].training
    if modes and ("train" if training else "eval") not in modes:
        for model in case.made:
            model.train(not training)


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
                empty = self._empty_output()
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
        if step == "randomness" and way.check is draws:
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

    def _empty_output(self) -> str | None:
        """Return the reason why the outputs prove nothing although they are right, or None."""
        needs_no_grad = self.asking.behavior(OWN_MINIBATCH).needs_no_grad
        with torch.set_grad_enabled(not needs_no_grad):
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
