"""Outcomes of a check: right, refused, wrong, or not applicable."""

import re
import traceback
import warnings
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import torch

from conformance.cases.members import MEMBERS
from conformance.checks.model_checks import Check
from conformance.checks.subject import ModelCase, Subject
from conformance.implementations.protocol import Implementation
from conformance.numerics.assertions import REFUSALS
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.text import describe_error, text_of

# A refusal is clear if it names the operation, the mode, or the feature that vmap does not support.
CLEAR_REFUSAL = re.compile(
    r"vmap|batching rule|batched|in-?place|random|functorch|functional_call|data-dependent|dynamic shape|"
    r"torch\.func|not differentiable|not implemented|not supported|unsupported|same class|not alike|equal size|meta",
    re.IGNORECASE,
)
SLOW_FALLBACK = re.compile(r"performance drop.*? batching rule for (\S+?)\. ")
PACKAGE = Path(__file__).parents[1]


class Outcome(Enum):
    """The outcome of a check."""

    RIGHT = "right"
    REFUSED = "refused"
    REFUSED_UNCLEARLY = "refused unclearly"
    WRONG = "wrong"
    NOT_APPLICABLE = "not applicable"


class NotApplicableError(Exception):
    """A test does not apply; the message says why."""


@dataclass(frozen=True)
class CheckResult:
    """The status of a check, with its message: the refusal, the difference, or the reason why it does not apply.

    `slow` names the operations that fell back to running member by member, as torch warns. `error` is the exception
    with its traceback.
    """

    status: Outcome
    message: str = ""
    slow: tuple[str, ...] = ()
    error: Exception | None = None


def run_check(
    check: Check,
    case: ModelCase,
    implementation: Implementation,
    device: torch.device | str,
    dtype: torch.dtype | None = None,
    n: int = MEMBERS,
) -> CheckResult:
    """Run a check on `n` members of a case. Exceptions of the case's factory are not caught."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _classify(check, Subject(case, implementation, device, dtype, n))
    operations = (SLOW_FALLBACK.search(str(warning.message)) for warning in caught)
    return replace(found, slow=tuple(sorted({each[1] for each in operations if each})))


def _classify(check: Check, subject: Subject) -> CheckResult:
    try:
        check(subject)
    except PlainLoopError as error:
        return CheckResult(Outcome.NOT_APPLICABLE, text_of(error), error=error)
    except Exception as error:  # noqa: BLE001 - any other exception is an unclear refusal
        if isinstance(error, AssertionError) and _raised_by_the_suite(error):
            return CheckResult(Outcome.WRONG, text_of(error), error=error)
        said = text_of(error)
        clear = isinstance(error, REFUSALS) and CLEAR_REFUSAL.search(said) and "INTERNAL ASSERT" not in said
        status = Outcome.REFUSED if clear else Outcome.REFUSED_UNCLEARLY
        return CheckResult(status, describe_error(error), error=error)
    return CheckResult(Outcome.RIGHT)


def _raised_by_the_suite(error: AssertionError) -> bool:
    """Return True if the suite raised the error, False if the model's own assertion failed."""
    *_, innermost = traceback.extract_tb(error.__traceback__)
    return PACKAGE in Path(innermost.filename).parents
