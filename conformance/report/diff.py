"""The difference between two results: transitions of cases, grouped by requirement."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from conformance.report.reader import Key, Result
from conformance.report.results import FAILING, Status


class Change(StrEnum):
    """The kind of change of a case or of a whole requirement between two results."""

    REGRESSED = "regressed"
    NO_LONGER_RUNS = "no longer runs"
    FAILS_DIFFERENTLY = "fails differently"
    FIXED = "fixed"
    NEWLY_RUNS = "newly runs"
    NEW = "new"
    GONE = "gone"


# Changes that give exit code 1, unless they are known failures.
GATING_CHANGES = (Change.REGRESSED, Change.NO_LONGER_RUNS)
# Statuses of cases that ran to an answer.
JUDGED = (Status.CONFORMS, Status.KNOWN_FAILURE, *FAILING)
# Start of pytest's message for a known failure that passes: the expectation is stale and torch is fixed.
UNEXPECTED_PASS = "[XPASS(strict)]"  # noqa: S105 - not a password
# The link that an expectation's reason may end with.
LINK = re.compile(r" \(https://\S+\)$")
NUMBERS = re.compile(r"0x[0-9a-f]+|[-+]?\d+(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Transition:
    """The cases of one requirement and implementation that changed in the same way.

    `known`: an expectation records the failure. `tests`: the names of the cases; empty if the requirement changed as a
    whole. `old`, `new`: the statuses; empty where a case does not exist. `of`: the number of cases of the requirement.
    `message`, `rerun`: those of the first case, from the newer result that has it.
    """

    change: Change
    known: bool
    requirement: str
    implementation: str
    old: str
    new: str
    tests: tuple[str, ...]
    of: int
    message: str
    rerun: str

    @property
    def gating(self) -> bool:
        """True if this transition gives the comparison exit code 1."""
        return self.change in GATING_CHANGES and not self.known


def compare(old: Result, new: Result) -> list[Transition]:
    """Return all transitions between two results, in the order of the requirements."""
    return [
        transition
        for key in {**old.rows, **new.rows}
        for transition in _group_moves(key, old, new, list(_case_moves(key, old, new)))
    ]


@dataclass(frozen=True)
class _Move:
    change: Change
    known: bool
    old: str
    new: str
    test: str
    message: str
    rerun: str


def restrict_to_selection(old: Result, new: Result) -> Result:
    """Return `old` without the cases that `new` did not select, so that a partial run can be compared."""
    core = new.content["options"]["profile"] == "core"
    rows: dict[Key, Mapping[str, Any]] = {}
    for key, row in old.rows.items():
        found = _cases_by_test(new, key)
        left = {test for test, case in found.items() if case["status"] == Status.NOT_RUN and not case["lost"]}
        # The core profile leaves out cases of original size.
        asked = {case["test"] for case in row["cases"] if found and (case["test"] in found or not core)} - left
        rows[key] = {**row, "cases": [case for case in row["cases"] if case["test"] in asked]}
    return Result(old.name, old.content, rows)


def _group_moves(key: Key, old: Result, new: Result, moves: Sequence[_Move]) -> Iterator[Transition]:
    groups: dict[tuple[Any, ...], list[_Move]] = {}
    for move in moves:
        groups.setdefault((move.change, move.known, move.old, move.new), []).append(move)
    size = max(len(_cases_by_test(result, key)) for result in (old, new))
    for (change, known, before, after), alike in groups.items():
        tests = tuple(move.test for move in alike if move.test)
        first = alike[0]
        yield Transition(change, known, *key, before, after, tests, size, first.message, first.rerun)


def _case_moves(key: Key, old: Result, new: Result) -> Iterator[_Move]:
    before, after = _cases_by_test(old, key), _cases_by_test(new, key)
    whole = _requirement_change(key, old, new)
    if whole is not None:
        judged = [case for case in (after or before).values() if case["status"] in JUDGED]
        # A requirement that ran on neither side has not changed.
        if judged or whole in (Change.NEW, Change.GONE):
            # The worst status is reported.
            worst = min(judged, key=lambda case: -JUDGED.index(case["status"]), default=None)
            yield _make_move(whole, "", None if after else worst, worst if after else None)
        return
    for test in {**before, **after}:
        change = _case_change(before.get(test), after.get(test))
        if change is not None:
            yield _make_move(change, test, before.get(test), after.get(test))


def _requirement_change(key: Key, old: Result, new: Result) -> Change | None:
    """Return how a requirement changed that only one side can compare, or None if both sides have cases."""
    requirement, _ = key
    if requirement not in old.requirements:
        return Change.NEW
    if requirement not in new.requirements:
        return Change.GONE
    if not _cases_by_test(old, key):
        return Change.NEWLY_RUNS
    if not _cases_by_test(new, key):
        return Change.NO_LONGER_RUNS
    return None


def _case_change(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Change | None:  # noqa: PLR0911 - a table
    if old is None or new is None:
        only = old or new or {}
        change = Change.NEW if old is None else Change.GONE
        return change if only["status"] in JUDGED else None
    was, now = _effective_status(old), _effective_status(new)
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
    alike = (was, old["message"]) == (now, new["message"]) or _failure_key(old) == _failure_key(new)
    return None if alike else Change.FAILS_DIFFERENTLY


def _make_move(change: Change, test: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> _Move:
    was, now = (_effective_status(case) if case else "" for case in (old, new))
    told: Mapping[str, Any] = next(each for each in (new, old, {}) if each is not None)
    message = told.get("message", "")
    if change is Change.FIXED and old and not message:
        message = old["message"]
    known = Status.KNOWN_FAILURE in (was, now) and now not in FAILING and change is not Change.NO_LONGER_RUNS
    return _Move(change, known, was, now, test, message, told.get("rerun", ""))


def _effective_status(case: Mapping[str, Any]) -> Any:
    """Return a case's status; a known failure that passes fails its run, but counts as conforming here."""
    return Status.CONFORMS if case["message"].startswith(UNEXPECTED_PASS) else case["status"]


def _failure_key(case: Mapping[str, Any]) -> tuple[str, str]:
    """Return what identifies a failure: its message without its link and numbers, which differ between machines."""
    return case["status"], NUMBERS.sub("#", LINK.sub("", case["message"]))


def _cases_by_test(result: Result, key: Key) -> dict[str, Mapping[str, Any]]:
    return {case["test"]: case for case in result.rows.get(key, {"cases": ()})["cases"]}
