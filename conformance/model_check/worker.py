"""The work of the child process: it loads the model and runs each step.

An event is a pair of a name and plain data: ("environment", facts), ("model", facts), ("begin", step), ("end", result).
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch

from conformance.devices import probe
from conformance.devices.environment import environment_facts
from conformance.implementations.protocol import Implementation, unavailable_reason
from conformance.implementations.registry import load_implementation
from conformance.model_check.conversion import dtype_name, own_dtypes
from conformance.model_check.input_spec import DTYPES
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.model_facts import describe_model
from conformance.model_check.model_loader import load_model
from conformance.model_check.options import CannotAnswerError, Request, UsageError
from conformance.model_check.plain_call import libraries_drawn
from conformance.model_check.step_runner import StepRunner
from conformance.model_check.steps import COSTS, FORWARDS, SNIPPET
from conformance.utils.suggestions import invalid_choice
from conformance.utils.text import describe_error, text_of

Event = tuple[str, Any]
# The statuses of steps that a model is not asked which does not run by itself; checks are "not applicable".
UNASKED = {**dict.fromkeys(COSTS, "not measured"), SNIPPET: "not shown"}


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
