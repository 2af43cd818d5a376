"""What runs in the child process: loads the model and answers step by step.

An event is a pair of a name and plain data: ("environment", facts), ("model", facts), ("begin", step), ("end", answer).
"""

import random
import warnings
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

import torch

from conformance import devices, environment, implementations
from conformance.check import cost
from conformance.check.blocking import place
from conformance.check.inputs import DTYPES
from conformance.check.model import Checked, load
from conformance.check.request import MistakeError, Request
from conformance.checks import CHECKS
from conformance.implementations import Implementation
from conformance.judging import Status, judge
from conformance.models import state_of
from conformance.subject import Subject

Event = tuple[str, Any]
COSTS: dict[str, Callable[[Subject], cost.Calls]] = {"speed_forward": cost.forward, "speed_backward": cost.backward}
STEPS = (*CHECKS, *COSTS)
# Bytes beyond which the C allocator gives memory back to the system at once, and takes it page by page again.
LARGE = 2**25


def events(request: Request, done: Collection[str]) -> Iterator[Event]:
    """The events of a request. Raises MistakeError."""
    device, implementation = _device(request), _implementation(request)
    random.seed(request.seed)
    torch.manual_seed(request.seed)
    yield "environment", environment.facts(device)
    case = load(request)
    yield "model", _facts(case)
    dtype = DTYPES[request.dtype] if request.dtype else None
    ask = partial(asked, case, implementation, device, dtype, request.members)
    for step in STEPS:
        if step not in done:
            yield "begin", step
            if step in CHECKS:
                yield "end", ask(step)
            else:
                timed = dtype or torch.get_default_dtype()
                yield "end", measured(step, case, implementation, device, timed, request.members)


def _device(request: Request) -> torch.device:
    try:
        if request.device_module:
            devices.load_module(request.device_module)
        return devices.resolve(request.device)
    except (devices.UnknownDeviceError, devices.UnusableDeviceError, devices.UnknownModuleError) as error:
        raise MistakeError(f"--device {request.device}: {error}") from error


def _implementation(request: Request) -> Implementation:
    if request.dtype and request.dtype not in DTYPES:
        raise MistakeError(f"--dtype {request.dtype}: none of {', '.join(DTYPES)}")
    try:
        found = implementations.load(request.implementation)
    except ValueError as error:
        raise MistakeError(f"--implementation: {error}") from error
    lacks = implementations.unavailable(found)
    if lacks:
        raise MistakeError(f"--implementation {request.implementation}: {lacks}")
    return found


def _facts(case: Checked) -> dict[str, Any]:
    first = case.made[0]
    state = state_of(first)
    return {
        "class": type(first).__name__,
        "holds": holds(first),
        "parameters": sum(each.numel() for each in first.parameters()),
        "training": first.training,
        "tensors": len(state),
        "equal": case.equal,
        "problem": case.problem,
    }


def holds(model: torch.nn.Module) -> list[str]:
    """The classes of a model's modules, and what else a remedy may be about."""
    modules = list(model.modules())
    hooked = any(module._backward_hooks for module in modules)  # noqa: SLF001 - torch tells it nowhere else
    return sorted({type(module).__name__ for module in modules} | ({"full backward hook"} if hooked else set()))


def asked(
    case: Checked,
    implementation: Implementation,
    device: torch.device,
    dtype: torch.dtype | None,
    members: int,
    step: str,
) -> dict[str, Any]:
    """What a check of the members says, and where it stops."""
    check = CHECKS[step]
    try:
        found = judge(check, case, implementation, device, dtype, members)
    except MistakeError:
        raise
    except Exception as error:  # noqa: BLE001 - copying, moving and converting a model can each fail in its own way
        return {"status": "not applicable", "message": f"no members to ask: {type(error).__name__}: {error}"}
    told: dict[str, Any] = {"status": found.status.value, "message": found.message, "slow": list(found.slow)}
    if found.error is not None and found.status is not Status.WRONG:
        told |= vars(place(found.error, lambda: check(Subject(case, implementation, device, dtype, members))))
    return told


def measured(
    step: str,
    case: Checked,
    implementation: Implementation,
    device: torch.device,
    dtype: torch.dtype,
    members: int,
) -> dict[str, Any]:
    """What a call costs, by loop and by vmap."""
    try:
        # Which operations are slow the checks have told.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _timed(step, case, implementation, device, dtype, members)
    except Exception as error:  # noqa: BLE001 - what can't be run can't be measured, and the checks have said why
        return {"status": "not measured", "message": f"{type(error).__name__}: {error}"}


def _timed(
    step: str,
    case: Checked,
    implementation: Implementation,
    device: torch.device,
    dtype: torch.dtype,
    members: int,
) -> dict[str, Any]:
    rows = cost.sweep(COSTS[step], case, implementation, device, dtype, members)
    peaks = cost.peaks(COSTS[step](Subject(case, implementation, device, dtype, members)), device)
    wanted = next(row for row in rows if row["members"] == members)
    large = device.type == "cpu" and peaks["vmap"] >= LARGE
    status = "faster" if wanted["ratio"] > 1 else "slower with large activations" if large else "slower"
    crossing = cost.crossing(rows)
    return {"status": status, "message": "", "asked": wanted, "rows": rows, "crossing": crossing, "peak": peaks}
