"""Re-running of a failed test, to find the first layer that differs."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

from conformance.diagnosis.layers import first_difference
from conformance.diagnosis.recorder import RecordedCall, Recorder, detached_copy
from conformance.diagnosis.reproducer import make_reproducer
from conformance.reference.vmap import vmap as reference_vmap
from conformance.utils.probing import without_warnings
from conformance.utils.pytree import tree_map
from conformance.utils.text import describe_error

NO_DIFFERENCE = "none: the last call of the test equals a loop over the stacked state"


def find_broken_layer(implementation: Any, test: Callable[[Any], None]) -> tuple[str, str]:
    """Return the first layer that differs in the last `vmap` call of a failed test, and a reproducer of that call.

    `test(implementation)` runs the test again. Each string is empty if there is nothing to report.
    """
    recorder = Recorder(implementation)
    try:
        test(recorder)
    except Exception:  # noqa: BLE001 - any error: the test failed before, too
        return _diagnose_last_call(recorder)
    return "none: the test passes when it is run again", ""


def _diagnose_last_call(recorder: Recorder) -> tuple[str, str]:
    if recorder.call is None or recorder.call.randomness != "error" or _draws(recorder.call):
        return "", ""  # no vmap call, or one with random numbers, which the layers can't repeat
    try:
        found = first_difference(recorder)
    except Exception as error:  # noqa: BLE001 - the failure is reported even if its diagnosis fails
        return f"not found: {describe_error(error)}", ""
    return str(found or NO_DIFFERENCE), make_reproducer(recorder.call) or ""


def _draws(call: RecordedCall) -> bool:
    """Return whether the loop draws random numbers from the CPU's generator."""
    with torch.random.fork_rng(devices=[]), without_warnings(), suppress(Exception):
        before = torch.get_rng_state()
        reference_vmap(call.func, **call.options)(*tree_map(detached_copy, call.inputs), **call.kwargs)
        return not torch.equal(before, torch.get_rng_state())
    return False
