"""What comes of a check: the ensemble is right, refuses, or is wrong, or there is nothing to ask."""

import re
import warnings
from dataclasses import dataclass
from enum import Enum

import torch

from conformance.assertions import REFUSALS
from conformance.checks import Check
from conformance.implementations import Implementation
from conformance.numerics import PlainLoopError
from conformance.subject import Case, Subject

# What a person needs to find the way out: the operation, the mode, or what vmap can't do with it.
CLEAR = re.compile(
    r"vmap|batching rule|batched|in-?place|random|functorch|functional_call|data-dependent|dynamic shape|"
    r"torch\.func|not differentiable|not implemented|not supported|unsupported|same class|not alike|equal size|meta",
    re.IGNORECASE,
)
SLOW = re.compile(r"performance drop.*? batching rule for (\S+?)\. ")


class Status(Enum):
    """How an ensemble answers."""

    RIGHT = "right"
    REFUSED = "refused"
    REFUSED_UNCLEARLY = "refused unclearly"
    WRONG = "wrong"
    NOT_APPLICABLE = "not applicable"


class NotApplicableError(Exception):
    """A test found nothing to ask; the message says why."""


@dataclass(frozen=True)
class Finding:
    """The status, and what was said: the refusal, what differs, or why there is nothing to ask.

    `slow`: the operations that ran member by member, as torch warns.
    """

    status: Status
    message: str = ""
    slow: tuple[str, ...] = ()


def judge(check: Check, case: Case, implementation: Implementation, device: torch.device | str) -> Finding:
    """Run a check of a case. What its factory raises is its own fault, and is not caught."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        status, message = _judged(check, Subject(case, implementation, device))
    operations = (SLOW.search(str(warning.message)) for warning in caught)
    return Finding(status, message, tuple(sorted({found[1] for found in operations if found})))


def _judged(check: Check, subject: Subject) -> tuple[Status, str]:
    try:
        check(subject)
    except PlainLoopError as error:
        return Status.NOT_APPLICABLE, str(error)
    except AssertionError as error:
        return Status.WRONG, str(error)
    except Exception as error:  # noqa: BLE001 - what is no clear refusal is an unclear one
        said = f"{type(error).__name__}: {error}"
        clear = isinstance(error, REFUSALS) and CLEAR.search(str(error)) and "INTERNAL ASSERT" not in str(error)
        return (Status.REFUSED if clear else Status.REFUSED_UNCLEARLY), said
    return Status.RIGHT, ""
