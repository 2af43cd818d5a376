"""What came of a call that vmap may answer, answer slowly, or refuse."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from conformance.numerics.assertions import REFUSALS


@dataclass(frozen=True)
class CallOutcome:
    """`value` is what was answered, `refusal` what was said instead; `slow`: member by member, as torch warns."""

    value: Any = None
    refusal: str | None = None
    slow: bool = False

    def answer(self) -> Any:
        """What was answered; raises RuntimeError with the refusal if there is one."""
        if self.refusal is not None:
            raise RuntimeError(self.refusal)
        return self.value


def failure_message(call: Callable[[], Any], what: str) -> str | None:
    """`what`, and why the call fails, in torch's own words; None if it works. It draws from nobody's generator."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except Exception as error:  # noqa: BLE001 - what can't be done is said in any way
            return f"{what}: {error}"
    return None


def attempt(call: Callable[[], Any]) -> CallOutcome:
    """The outcome of a call. What is no clear refusal is raised, an internal error of torch among it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = call()
        except REFUSALS as refusal:
            if "INTERNAL ASSERT" in str(refusal):
                raise AssertionError(f"refused unclearly: {refusal}") from refusal
            return CallOutcome(refusal=f"{type(refusal).__name__}: {refusal}")
    return CallOutcome(value, slow=any("performance drop" in str(warning.message) for warning in caught))
