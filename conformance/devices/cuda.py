"""The NVIDIA driver's answers without torch, and the reasons why a build of torch can't use the GPUs of a machine."""

import ctypes
import re
import sys
from typing import Any

from conformance.utils.probing import without_warnings

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# A process has a CUDA context of about half a GiB, the controller of the workers too, and what its tests allocate, of
# which the cases of original size need most. So many workers, and they allocate at most so much, stay below 4 GiB.
WORKERS_A_GPU = 2
ALLOCATED = 1200 * 2**20


def driver_problem() -> str | None:
    """Return what this machine lacks for any build of torch for CUDA, or None if one may work."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return f"no NVIDIA driver is installed on this machine ({DRIVER} does not load)"
    return None if _count(driver) else "the NVIDIA driver of this machine finds no GPU"


def count_gpus() -> int:
    """Return the number of GPUs that this process may use, as limited by CUDA_VISIBLE_DEVICES; 0 without a driver."""
    try:
        return _count(ctypes.CDLL(DRIVER))
    except OSError:
        return 0


def _count(driver: Any) -> int:
    count = ctypes.c_int(0)
    return 0 if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) else count.value


def visible_gpus(listed: str | None, count: int) -> list[str]:
    """The names of the GPUs that the driver counts, such as a caller's CUDA_VISIBLE_DEVICES lists them.

    The driver stops at the first entry that it does not know, so those that it counts are the first.
    """
    if listed is None:
        return [str(index) for index in range(count)]
    return [entry.strip() for entry in listed.split(",")][:count]


def problem(device: Any) -> str | None:
    """Return a known reason why this build of torch can't compute on this device, or None."""
    import torch

    build = f"torch {torch.__version__}"
    if torch.version.cuda is None:
        return None if torch.version.hip else f"{build} is built without CUDA"
    missing = driver_problem()
    if missing:
        return missing
    runs = _driver_version()
    # Within a major version the driver runs what any minor version has built.
    if runs[0] < int(torch.version.cuda.partition(".")[0]):
        return f"the NVIDIA driver is too old: it runs CUDA {runs[0]}.{runs[1]}, {build} needs {torch.version.cuda}"
    with without_warnings():  # torch warns of what is said here
        if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
            return None
        capability = torch.cuda.get_device_capability(device)
        name = torch.cuda.get_device_name(device)
        kernels = torch.cuda.get_arch_list()
    if not kernels or any(runs_on(each, capability) for each in kernels):
        return None
    age = "old" if capability < min(_capability(each) for each in kernels) else "new"
    have = f"{build} has kernels for {' '.join(kernels)} alone"
    return f"the GPU is too {age} for this build: {name} has compute capability {capability[0]}.{capability[1]}, {have}"


def _driver_version() -> tuple[int, int]:
    version = ctypes.c_int(0)
    ctypes.CDLL(DRIVER).cuDriverGetVersion(ctypes.byref(version))
    return version.value // 1000, version.value % 1000 // 10


def runs_on(kernels: str, capability: tuple[int, int]) -> bool:
    """Do kernels built for ``sm_86``, or as PTX for ``compute_86``, run on a GPU of this compute capability?

    Machine code runs on the same major version from its minor version on, and PTX on everything from there on. Kernels
    for one architecture alone (``sm_90a``) run there and nowhere else, those for a family (``sm_100f``) within a major
    version, whether machine code or PTX.
    """
    built = _capability(kernels)
    if kernels.endswith("a"):
        return capability == built
    if kernels.startswith("compute_") and not kernels.endswith("f"):
        return capability >= built
    return capability[0] == built[0] and capability >= built


def _capability(kernels: str) -> tuple[int, int]:
    digits = re.sub(r"\D", "", kernels)
    return int(digits[:-1]), int(digits[-1])


def limit_memory(device: Any) -> None:
    """Limit this process to its share of a GPU's memory: a larger allocation raises an error."""
    import torch

    with without_warnings():
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, ALLOCATED / total), device)
