"""The facts about a run that its results depend on: torch's build, the machine, the packages."""

import os
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from conformance.utils.probing import without_warnings
from conformance.utils.text import first_line, text_of

LONGEST_NAME = 200  # characters of the name of a device
LONGEST_VALUE = 500  # characters of the value of an environment variable
MOST_VARIABLES = 100
# Environment variables that change what torch computes, or where: threads, instruction set, devices, vendors' settings.
VARIABLES = re.compile(
    r"(ATEN|CUBLAS|CUBLASLT|CUDA|CUDNN|DNNL|GOMP|HIP|HSA|KMP|MKL|MIOPEN|NVIDIA_TF32|ONEAPI|ONEDNN|OMP|OPENBLAS|PJRT|PYTORCH"
    r"|ROCBLAS|ROCR|SYCL|TORCH|TORCHDYNAMO|TORCHINDUCTOR|XLA|ZE)_(?!HOME|PATH)(?!\w*_DIR$)[A-Z0-9_]{1,100}"
)
SECRET = re.compile("TOKEN|KEY|SECRET|PASSW|CREDENTIAL")  # a variable with such a name is not recorded
PACKAGES = ("torch", "numpy", "pytest", "pytest-xdist", "hypothesis")


def environment_facts(device: Any) -> dict[str, Any]:
    """Facts for the result file, all JSON; imports torch."""
    import torch

    return {
        "torch": str(torch.__version__),
        "torch_git": torch.version.git_version,
        "torch_debug": torch.version.debug,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "device": str(device),
        "cpu_capability": _cpu_capability(torch.__config__.show()),
        "threads": torch.get_num_threads(),
        "accelerators": _accelerators("cuda" if device.type == "cpu" else device.type),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "variables": numeric_variables(os.environ),
    }


def numeric_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that can change numbers, by name, with printable values of bounded length."""
    names = [name for name in sorted(environment) if VARIABLES.fullmatch(name) and not SECRET.search(name)]
    return {name: text_of(environment[name])[:LONGEST_VALUE] for name in names[:MOST_VARIABLES]}


def _accelerators(kind: str) -> list[str]:
    """The names of all devices of this type, where its vendor's module in torch tells them."""
    import torch

    module = getattr(torch, kind, None)
    tell = getattr(module, "get_device_name", None)
    if not module or not tell:
        return []
    try:
        with without_warnings():
            return [text_of(tell(index), LONGEST_NAME) for index in range(module.device_count())]
    except Exception as error:  # noqa: BLE001 - a driver may answer with any exception, and only names are lost
        return [f"unknown: {first_line(error)}"]


def _cpu_capability(config: str) -> str:
    """The instruction set that torch's kernels use, as torch's configuration says it."""
    found = re.search(r"CPU capability usage: (\w+)", config)
    return found.group(1) if found else "unknown CPU capability"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
