"""Is what a device can do found by asking it?"""

import ctypes
import subprocess
import sys

import pytest
import torch

from conformance import devices, environment
from conformance.devices import (
    CANNOT_ANSWER,
    UnknownDeviceError,
    UnusableDeviceError,
    driver_problem,
    lacks,
    main,
    resolve,
)


def test_the_cpu_resolves_and_computes():
    assert resolve("cpu") == torch.device("cpu")
    assert lacks(torch.device("cpu"), torch.float64) is None


def test_a_device_that_torch_does_not_know():
    with pytest.raises(UnknownDeviceError, match="torch knows no device 'abacus'") as caught:
        resolve("abacus")

    assert "\n" not in str(caught.value)


def test_a_device_that_does_not_work_here():
    with pytest.raises(UnusableDeviceError, match=r"device 'meta' does not work here: .") as caught:
        resolve("meta")

    assert "\n" not in str(caught.value)


def test_a_device_that_computes_wrongly(monkeypatch):
    monkeypatch.setattr(torch, "arange", lambda *_, **__: torch.zeros(4))

    with pytest.raises(UnusableDeviceError, match="adds 0, 1, 2 and 3 to 0"):
        resolve("cpu")


def test_a_dtype_that_a_device_lacks_is_said_in_its_words():
    assert lacks(torch.device("meta"), torch.float32).startswith("meta can't compute in torch.float32: ")


class Driver:
    """A driver that answers with a code and finds so many devices."""

    def __init__(self, code, count):
        self.code, self.count = code, count

    def cuInit(self, flags):  # noqa: N802 - the driver's own name
        return self.code

    def cuDeviceGetCount(self, pointer):  # noqa: N802 - the driver's own name
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_int))[0] = self.count
        return 0


@pytest.mark.parametrize(
    ("driver", "problem"),
    [
        (Driver(0, 1), None),
        (Driver(0, 0), "the NVIDIA driver of this machine finds no GPU"),
        (Driver(100, 1), "the NVIDIA driver of this machine finds no GPU"),
        (None, "no NVIDIA driver is installed on this machine (libcuda.so.1 does not load)"),
    ],
    ids=["gpu", "no-gpu", "no-init", "no-driver"],
)
def test_the_driver_is_asked_before_anything_is_installed(monkeypatch, capsys, driver, problem):
    def load(name):
        if driver is None:
            raise OSError(name)
        return driver

    monkeypatch.setattr(ctypes, "CDLL", load)

    assert driver_problem("cuda") == problem
    assert driver_problem("cpu") is None
    assert main("cuda") == (CANNOT_ANSWER if problem else 0)
    assert capsys.readouterr().err == (f"environment can't answer: {problem}\n" if problem else "")


def test_asking_for_the_driver_imports_no_torch():
    code = "import sys; import conformance.devices; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_facts_are_those_of_this_build(monkeypatch):
    facts = environment.facts(torch.device("cpu"))

    assert facts["torch"] == torch.__version__
    assert type(facts["torch"]) is str
    assert facts["threads"] == torch.get_num_threads()
    assert facts["cpu_capability"] in torch.__config__.show()
    assert facts["packages"]["pytest"] == pytest.__version__
    monkeypatch.setattr(torch.__config__, "show", lambda: "nothing")
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    assert environment.facts(torch.device("cpu"))["cpu_capability"] == "unknown CPU capability"
    assert environment.facts(torch.device("cpu"))["packages"] == {"no-such-package": None}
    assert devices.CANNOT_ANSWER not in {code.value for code in pytest.ExitCode}
