"""Probes of a device: its abilities are found by running something on it, never guessed from its name.

``python -m conformance.devices.probe cuda`` asks for the driver alone, before anything large is installed.
"""

import importlib
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from conformance.devices import cuda
from conformance.utils.exit_codes import ExitCode
from conformance.utils.probing import without_warnings
from conformance.utils.suggestions import did_you_mean
from conformance.utils.text import first_line, text_of, type_name

SIMULATED_DEVICE = "conformance.devices.simulated"  # importing this package registers the device
# The two variables by which PyTorch's own device tests are told what to test.
ONLY_FOR = "PYTORCH_TESTING_DEVICE_ONLY_FOR"
FOR_CUSTOM = "PYTORCH_TESTING_DEVICE_FOR_CUSTOM"
# PyTorch's tests give a vendor's own device type one name, and torch gives it another.
PRIVATE = {"privateuse1": "privateuseone"}


class UnknownDeviceError(ValueError):
    """A name that torch does not know as a device."""


class UnusableDeviceError(RuntimeError):
    """A device that torch knows and can't use here, with what it said."""


class UnknownModuleError(ValueError):
    """No vendor's package of that name is installed."""


def choose_device(name: str | None, environment: Mapping[str, str]) -> str:
    """The device to judge: the one asked for, or the one that PyTorch's variables name, or the CPU.

    As in PyTorch, what ONLY_FOR lists is tested and nothing else, and FOR_CUSTOM adds a device type. Both may list
    several, and a run judges one: ValueError.
    """
    if name:
        return name
    for variable in (ONLY_FOR, FOR_CUSTOM):
        listed = list(dict.fromkeys(each.strip() for each in environment.get(variable, "").split(",") if each.strip()))
        if len(listed) > 1:
            raise ValueError(f"{variable} lists {', '.join(listed)}, and a run judges one: choose it with --device")
        if listed:
            return PRIVATE.get(listed[0], listed[0])
    return "cpu"


def load_module(name: str) -> None:
    """Import a vendor's package, which makes its device known to torch."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise UnknownModuleError(f"{name!r} is no name of a package")
    try:
        importlib.import_module(name)
    except Exception as error:
        # A package that is not there is a slip of the pen; one that is there and does not import is broken.
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise UnknownModuleError(f"there is no package {name!r}") from error
        raise UnusableDeviceError(f"{name} does not import: {type_name(error)}: {first_line(error)}") from error


def resolve_device(name: str) -> Any:
    """The torch.device of that name, after a small computation on it came out right."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        # torch lists the types that it knows in the message.
        known = re.findall(r"\w+", text_of(error).partition("one of ")[2].partition(" device")[0])
        near = did_you_mean(name.partition(":")[0], known)
        raise UnknownDeviceError(f"torch knows no device {name!r}: {first_line(error)}{near}") from error
    problem = device_failure(device)
    if problem and device.type == "cuda":
        # The known reasons say more than torch does; where they can't be looked for, torch's own words remain.
        with suppress(Exception):
            problem = cuda.problem(device) or problem
    if problem:
        raise UnusableDeviceError(problem)
    return device


def device_failure(device: Any) -> str | None:
    """Return the reason why a small computation on the device fails, or None if it works."""
    import torch

    try:
        with without_warnings():
            total = float(torch.arange(4.0, device=device).sum())
    except Exception as error:  # noqa: BLE001 - a device that does not work says so in any way it likes
        return f"device {str(device)!r} does not work here: {first_line(error)}"
    return None if total == sum(range(4)) else f"device {str(device)!r} adds 0, 1, 2 and 3 to {total}"


def dtype_unavailable_reason(device: Any, dtype: Any) -> str | None:
    """Return the reason why the device can't compute in this dtype, or None if it can."""
    import torch

    from conformance.devices import profile as device_profile

    said = device_profile.dtype_unavailable_reason(device, dtype)
    if said:
        return said
    try:
        with without_warnings():
            ones = torch.ones(2, 2, device=device, dtype=dtype)  # torch 2.2 has no torch.eye of bfloat16
            ones.matmul(ones).sum().item()
    except Exception as error:  # noqa: BLE001 - what a device can't do it says in any way it likes
        return f"{device} can't compute in {dtype}: {first_line(error)}"
    return None


@cache
def finest_dtype(device: Any) -> Any:
    """The finest floating dtype that the device computes in: float64, or float32 where that is all there is."""
    import torch

    return torch.float32 if dtype_unavailable_reason(torch.device(device), torch.float64) else torch.float64


def main(kind: str) -> int:
    """Say in one line why `kind` can't be tested here, if so."""
    missing = cuda.driver_problem() if kind == "cuda" else None
    if missing:
        sys.stderr.write(f"environment can't answer: {missing}\n")
    return ExitCode.CANNOT_ANSWER if missing else ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
