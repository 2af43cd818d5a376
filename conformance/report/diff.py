"""The difference between two results: transitions of cases, grouped by requirement, and drift."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.report.case_change import WRONG, Case, Change, case_change, effective_status, worst_case
from conformance.report.drift import Drift, find_drift
from conformance.report.effects import with_effects
from conformance.report.reader import Key, Result
from conformance.report.results import FAILING, Status

# Changes that give exit code 1, unless they are known failures.
GATING_CHANGES = (Change.REGRESSED, Change.NO_LONGER_RUNS)
# Changes of what only one of the results has.
ONE_SIDED = (Change.NEW, Change.GONE)


@dataclass(frozen=True)
class Transition:
    """The cases of one requirement and implementation that changed in the same way.

    `known`: an expectation records the failure. `tests`: the names of the cases; empty if the requirement changed as a
    whole. `old`, `new`: the statuses; empty where a case does not exist. `was`, `effect`: the effects of the known
    failures of the older and of the newer result. `of`: the number of cases of the requirement. `message`, `observed`,
    `rerun`: those of the first case, from the newer result that has it.
    """

    change: Change
    known: bool
    requirement: str
    implementation: str
    level: str
    old: str
    new: str
    was: str
    effect: str
    tests: tuple[str, ...]
    of: int
    message: str
    observed: str
    rerun: str

    @property
    def gating(self) -> bool:
        """True if this transition gives the comparison exit code 1."""
        return self.change in GATING_CHANGES and not self.known

    @property
    def silent(self) -> bool:
        """True if results have become wrong without an error, which a known failure records."""
        return self.effect == WRONG and (
            self.change is Change.REGRESSED or (self.change is Change.FAILS_DIFFERENTLY and self._nature_changed)
        )

    @property
    def gating_if_strict(self) -> bool:
        """True if this transition gives a strict comparison exit code 1."""
        newly_known = self.change is Change.REGRESSED and self.known
        return self.gating or self.silent or (newly_known and self.level == "must")

    @property
    def _nature_changed(self) -> bool:
        return self.old == Status.KNOWN_FAILURE and self.was != WRONG


@dataclass(frozen=True)
class Difference:
    """The difference between two results, `old` and `new`.

    `left_out`: transitions of what only one of two different suites asks. They are no changes of what was judged.
    """

    old: Result
    new: Result
    transitions: Sequence[Transition]
    left_out: Sequence[Transition]
    drift: Sequence[Drift]


def compare(old: Result, new: Result) -> Difference:
    """Return the difference between two results, in the order of the requirements."""
    old, new = with_effects(old), with_effects(new)
    same = not suites_differ(old, new)
    found = [
        transition
        for key in {**old.rows, **new.rows}
        for transition in _group_moves(key, old, new, list(_case_moves(key, old, new, same_suite=same)))
    ]
    left_out = [each for each in found if each.change in ONE_SIDED and not same]
    kept = [each for each in found if same or each.change not in ONE_SIDED]
    return Difference(old, new, kept, left_out, find_drift(old, new))


def suites_differ(old: Result, new: Result) -> bool:
    """Return whether two results are of different suites, which may ask different things. Expectations don't count."""
    identities = [
        tuple(suite[key] for key in ("version", "commit", "clean")) if suite else None
        for suite in (result.content.get("suite") for result in (old, new))
    ]
    return identities[0] != identities[1]


@dataclass(frozen=True)
class _Move:
    change: Change
    known: bool
    old: str
    new: str
    was: str
    effect: str
    test: str
    told: Case


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
        groups.setdefault((move.change, move.known, move.old, move.new, move.was, move.effect), []).append(move)
    size = max(len(_cases_by_test(result, key)) for result in (old, new))
    level = (new.rows.get(key) or old.rows[key])["level"]
    for alike in groups.values():
        first = alike[0]
        yield Transition(
            change=first.change,
            known=first.known,
            requirement=key[0],
            implementation=key[1],
            level=level,
            old=first.old,
            new=first.new,
            was=first.was,
            effect=first.effect,
            tests=tuple(move.test for move in alike if move.test),
            of=size,
            message=first.told.get("message", ""),
            observed=first.told.get("observed", ""),
            rerun=first.told.get("rerun", ""),
        )


def _case_moves(key: Key, old: Result, new: Result, *, same_suite: bool) -> Iterator[_Move]:
    before, after = _cases_by_test(old, key), _cases_by_test(new, key)
    whole = _requirement_change(key, old, new)
    if whole is not None:
        worst = worst_case(after or before)
        # A requirement that ran on neither side has not changed.
        if worst or whole in ONE_SIDED:
            yield _make_move(whole, "", None if after else worst, worst if after else None)
        return
    if not same_suite and not before.keys() & after.keys():
        # Another suite has other names for all cases: their worst results are compared.
        worst_old, worst_new = worst_case(before), worst_case(after)
        change = case_change(worst_old, worst_new) if worst_old and worst_new else None
        if change is not None:
            yield _make_move(change, "", worst_old, worst_new)
        return
    for test in {**before, **after}:
        change = case_change(before.get(test), after.get(test))
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


def _make_move(change: Change, test: str, old: Case | None, new: Case | None) -> _Move:
    was, now = (effective_status(case) if case else "" for case in (old, new))
    effect_was, effect = ((case or {}).get("effect", "") for case in (old, new))
    told: Case = next(each for each in (new, old, {}) if each is not None)
    if change is Change.FIXED and old and not told["message"]:
        told = {**told, "message": old["message"]}
    known = Status.KNOWN_FAILURE in (was, now) and now not in FAILING and change is not Change.NO_LONGER_RUNS
    return _Move(change, known, was, now, effect_was, effect, test, told)


def _cases_by_test(result: Result, key: Key) -> dict[str, Case]:
    return {case["test"]: case for case in result.rows.get(key, {"cases": ()})["cases"]}
