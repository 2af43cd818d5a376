"""What a device can do, found by running something on it, never guessed from its name.

``python -m conformance.devices cuda`` asks for the driver alone, before anything large is installed.
"""

import ctypes
import sys
from typing import Any

CANNOT_ANSWER = 8  # the exit code for "this environment can't answer"; pytest's own end at 5


class UnknownDeviceError(ValueError):
    """A name that torch does not know as a device."""


class UnusableDeviceError(RuntimeError):
    """A device that torch knows and can't use here, with what it said."""


def resolve(name: str) -> Any:
    """The torch.device of that name, after a small computation on it came out right."""
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UnknownDeviceError(f"torch knows no device {name!r}: {_first_line(error)}") from error
    try:
        total = float(torch.arange(4.0, device=device).sum())
    except Exception as error:
        raise UnusableDeviceError(f"device {name!r} does not work here: {_first_line(error)}") from error
    if total != sum(range(4)):
        raise UnusableDeviceError(f"device {name!r} adds 0, 1, 2 and 3 to {total}")
    return device


def lacks(device: Any, dtype: Any) -> str | None:
    """Why the device can't compute in this dtype, in its own words; None if it can."""
    import torch

    try:
        torch.eye(2, device=device, dtype=dtype).matmul(torch.ones(2, 2, device=device, dtype=dtype)).sum().item()
    except Exception as error:  # noqa: BLE001 - what a device can't do it says in any way it likes
        return f"{device} can't compute in {dtype}: {_first_line(error)}"
    return None


def driver_problem(kind: str) -> str | None:
    """What this machine lacks before a build of torch for `kind` could work; None if it may work."""
    if kind != "cuda":
        return None
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver is installed on this machine (libcuda.so.1 does not load)"
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return "the NVIDIA driver of this machine finds no GPU"
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def main(kind: str) -> int:
    """Say in one line why `kind` can't be tested here, if so."""
    missing = driver_problem(kind)
    if missing:
        sys.stderr.write(f"environment can't answer: {missing}\n")
    return CANNOT_ANSWER if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
