"""The change of one case from one result to the next."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from conformance.report.results import FAILING, Status

Case = Mapping[str, Any]


class Change(StrEnum):
    """The kind of change of a case or of a whole requirement between two results."""

    REGRESSED = "regressed"
    NO_LONGER_RUNS = "no longer runs"
    FAILS_DIFFERENTLY = "fails differently"
    FIXED = "fixed"
    GONE = "gone"
    NEWLY_RUNS = "newly runs"
    NEW = "new"


# Statuses of cases that ran to an answer, the best first.
JUDGED = (Status.CONFORMS, Status.KNOWN_FAILURE, *FAILING)
# The effect of a known failure that gives wrong numbers or state without an error.
WRONG = "wrong"
# Start of pytest's message for a known failure that passes: the expectation is stale and torch is fixed.
UNEXPECTED_PASS = "[XPASS(strict)]"  # noqa: S105 - not a password
# The link that an expectation's reason may end with.
LINK = re.compile(r" \(https://\S+\)$")
NUMBERS = re.compile(r"0x[0-9a-f]+|[-+]?\d+(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)


def case_change(old: Case | None, new: Case | None) -> Change | None:  # noqa: PLR0911 - a table
    """Return the change of a case, which one of the results may lack; None if it stayed as it was."""
    if old is None or new is None:
        only = old or new or {}
        change = Change.NEW if old is None else Change.GONE
        return change if only["status"] in JUDGED else None
    was, now = effective_status(old), effective_status(new)
    if was not in JUDGED or now not in JUDGED:
        if was in JUDGED:
            return Change.NO_LONGER_RUNS
        return Change.NEWLY_RUNS if now in JUDGED else None
    if Status.CONFORMS in (was, now):
        if was == now:
            return None
        return Change.REGRESSED if was == Status.CONFORMS else Change.FIXED
    if was == Status.KNOWN_FAILURE and now in FAILING:
        return Change.REGRESSED  # the failure is no longer recorded as known
    return None if was == now and _fail_alike(old, new) else Change.FAILS_DIFFERENTLY


def effective_status(case: Case) -> Any:
    """Return a case's status; a known failure that passes fails its run, but counts as conforming here."""
    return Status.CONFORMS if case["message"].startswith(UNEXPECTED_PASS) else case["status"]


def worst_case(cases: Mapping[str, Case]) -> Case | None:
    """Return the worst of the cases that ran to an answer, silent failures before others; None if none ran."""
    judged = [case for case in cases.values() if case["status"] in JUDGED]
    return max(judged, key=lambda case: (JUDGED.index(case["status"]), case.get("effect") == WRONG), default=None)


def _fail_alike(old: Case, new: Case) -> bool:
    """Return whether two failures of the same status are the same by effect and message.

    What was observed counts before the recorded reason, which another version of the suite may word differently.
    """
    if old.get("effect") and new.get("effect"):
        if old["effect"] != new["effect"]:
            return False
        if "observed" in old and "observed" in new:
            return _same_text(old["observed"], new["observed"])
        if "observed" in old or "observed" in new:
            return True
    return _same_text(old["message"], new["message"])


def _same_text(old: str, new: str) -> bool:
    """Return whether two messages are the same without links and numbers, which differ between machines."""
    return old == new or _stable_part(old) == _stable_part(new)


def _stable_part(message: str) -> str:
    return NUMBERS.sub("#", LINK.sub("", message))
