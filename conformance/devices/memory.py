"""The peak memory of a call, on any device."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from conformance.devices import features


def measure_peak_memory(call: Callable[[], Any], device: torch.device) -> int:
    """Bytes that tensors take while a call runs, at most, beyond those that they take before.

    A device counts them. The CPU does not: there torch's profiler sees each allocation and release.
    """
    if device.type != "cpu":
        return features.peak_bytes(device, call)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        call()
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiled.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    changes = sorted((each["ts"], each["args"]["Bytes"]) for each in events if each["name"] == "[memory]")
    held = most = 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most
