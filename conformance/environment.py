"""The facts about a run that its results depend on: torch's build, the machine, the packages."""

import os
import platform
from importlib import metadata
from typing import Any

PACKAGES = ("torch", "numpy", "pytest", "pytest-xdist", "hypothesis")


def facts(device: Any) -> dict[str, Any]:
    """Facts for the result file, all JSON; imports torch."""
    import torch

    return {
        "torch": str(torch.__version__),
        "torch_git": torch.version.git_version,
        "torch_debug": torch.version.debug,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "device": str(device),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "accelerators": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
