"""Outcomes of calls that vmap may run, run by the slow fallback, or refuse."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from conformance.numerics.assertions import REFUSALS
from conformance.utils.probing import without_warnings
from conformance.utils.text import describe_error, first_line, text_of

__tracebackhide__ = True  # a failing comparison is shown in the test that asks for it


@dataclass(frozen=True)
class CallOutcome:
    """The `value` of a call, or its `refusal`; `slow` if torch warned that it ran member by member."""

    value: Any = None
    refusal: str | None = None
    slow: bool = False

    def value_or_raise(self) -> Any:
        """Return the value; raise RuntimeError with the refusal if there is one."""
        if self.refusal is not None:
            raise RuntimeError(self.refusal)
        return self.value


def failure_message(call: Callable[[], Any], what: str) -> str | None:
    """Return `what` and the first line of the call's error, or None if it works; the CPU's random state is kept."""
    with torch.random.fork_rng(devices=[]), without_warnings():
        try:
            call()
        except Exception as error:  # noqa: BLE001 - the call may refuse with any exception
            return f"{what}: {first_line(error)}"
    return None


def attempt(call: Callable[[], Any]) -> CallOutcome:
    """Return the outcome of a call.

    Exceptions other than a clear refusal propagate; an internal error of torch becomes an AssertionError.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = call()
        except REFUSALS as refusal:
            if "INTERNAL ASSERT" in text_of(refusal):
                raise AssertionError(f"refused unclearly: {refusal}") from refusal
            return CallOutcome(refusal=describe_error(refusal))
    return CallOutcome(value, slow=any("performance drop" in str(warning.message) for warning in caught))
