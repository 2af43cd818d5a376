"""Asks a failed test again, and says which layer broke."""

from collections.abc import Callable
from typing import Any

from conformance.diagnosis.layers import climb
from conformance.diagnosis.recorder import Recorder
from conformance.diagnosis.reproducer import script

NOWHERE = "none: the last call of the test gives what a loop over the stacked state gives"


def layer(implementation: Any, test: Callable[[Any], None]) -> tuple[str, str]:
    """The first layer that differs in the last call that `test` makes of an implementation, and a script of it.

    `test(implementation)` failed, and has to again. Either is empty where there is nothing to say.
    """
    recorder = Recorder(implementation)
    try:
        test(recorder)
    except Exception:  # noqa: BLE001 - as it did before
        return _found(recorder)
    return "none: asked again, the test passes", ""


def _found(recorder: Recorder) -> tuple[str, str]:
    if recorder.call is None or recorder.call.randomness != "error":
        return "", ""  # nothing was mapped, or layers that draw, which can't be compared
    try:
        found = climb(recorder)
    except Exception as error:  # noqa: BLE001 - the failure has to be told, whatever becomes of this
        return f"not found: {type(error).__name__}: {error}", ""
    return str(found or NOWHERE), script(recorder.call) or ""
