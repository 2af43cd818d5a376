"""The facts about a run that its results depend on: torch's build, the machine, the packages."""

import os
import platform
import re
from importlib import metadata
from typing import Any

from conformance.utils.probing import without_warnings
from conformance.utils.text import first_line, text_of

LONGEST_NAME = 200  # characters of the name of a device
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
    }


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
