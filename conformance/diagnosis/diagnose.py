"""Asks a failed test again, and says which layer broke."""

from collections.abc import Callable
from typing import Any

from conformance.diagnosis.layers import first_difference
from conformance.diagnosis.recorder import Recorder
from conformance.diagnosis.reproducer import make_reproducer

NO_DIFFERENCE = "none: the last call of the test gives what a loop over the stacked state gives"


def find_broken_layer(implementation: Any, test: Callable[[Any], None]) -> tuple[str, str]:
    """The first layer that differs in the last call that `test` makes of an implementation, and a script of it.

    `test(implementation)` failed, and has to again. Either is empty where there is nothing to say.
    """
    recorder = Recorder(implementation)
    try:
        test(recorder)
    except Exception:  # noqa: BLE001 - as it did before
        return _diagnose_last_call(recorder)
    return "none: asked again, the test passes", ""


def _diagnose_last_call(recorder: Recorder) -> tuple[str, str]:
    if recorder.call is None or recorder.call.randomness != "error":
        return "", ""  # nothing was mapped, or layers that draw, which can't be compared
    try:
        found = first_difference(recorder)
    except Exception as error:  # noqa: BLE001 - the failure has to be told, whatever becomes of this
        return f"not found: {type(error).__name__}: {error}", ""
    return str(found or NO_DIFFERENCE), make_reproducer(recorder.call) or ""
