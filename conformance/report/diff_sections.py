"""The sections of a difference, what matters most first: silent failures, musts, the rest, and what is newly asked."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from conformance.report.case_change import WRONG, Change
from conformance.report.diff import Transition
from conformance.report.drift import BudgetDrift, Drift
from conformance.report.results import FAILING

# More requirements than this are listed by chapter and without messages, for these kinds of change.
MAX_NAMED = 10
MAX_LINE = 2_000  # characters; a terminal gets the first three lines of them, and a page all
TERSE = (Change.NO_LONGER_RUNS, Change.NEWLY_RUNS, Change.NEW, Change.GONE)
WORSE = (Change.REGRESSED, Change.NO_LONGER_RUNS, Change.FAILS_DIFFERENTLY)
ASKED = (Change.NEWLY_RUNS, Change.NEW)
SILENT = "new silent failures"


class Section(NamedTuple):
    """The lines of one kind of change. `gating`: it gives the comparison exit code 1."""

    title: str
    lines: list[str]
    gating: bool


class _Place(NamedTuple):
    """The place of a transition among the sections; smaller is further up."""

    rank: int
    known: bool
    order: int
    title: str


def diff_sections(transitions: Iterable[Transition]) -> list[Section]:
    """Group transitions by kind of change, in the order in which they matter."""
    found: dict[_Place, list[Transition]] = {}
    for each in transitions:
        found.setdefault(_place(each), []).append(each)
    return [
        Section(place.title, list(_section_lines(alike)), any(each.gating for each in alike))
        for place, alike in sorted(found.items())
    ]


def sorted_by_importance(transitions: Iterable[Transition]) -> list[Transition]:
    """Return the transitions in the order of the sections."""
    return sorted(transitions, key=_place)


def drift_sections(drift: Sequence[Drift]) -> list[Section]:
    """Return the drift of the error budget and that of the tables."""
    budget = [each for each in drift if isinstance(each, BudgetDrift)]
    tables = [each for each in drift if not isinstance(each, BudgetDrift)]
    sections = [
        Section(
            "drift, larger shares of the error budget",
            [
                _shorten(
                    f"{each.requirement} ({each.implementation}): {each.cases} of {each.of} cases, "
                    f"up to {each.old:.2g} -> {each.new:.2g}"
                )
                for each in budget
            ],
            gating=False,
        ),
        Section(
            "drift, cells of tables",
            [
                _shorten(
                    f"{each.table} ({', '.join(each.implementations)}): {each.old} -> {each.new}, "
                    f"{len(each.cells)} cell{'s' * (len(each.cells) != 1)}: {'; '.join(each.cells)}"
                )
                for each in tables
            ],
            gating=False,
        ),
    ]
    return [section for section in sections if section.lines]


def _place(each: Transition) -> _Place:
    prefix = "known failures, " if each.known else ""
    order = list(Change).index(each.change)
    if each.silent:
        return _Place(0, False, 0, SILENT)
    if each.change in WORSE:
        must = each.level == "must"
        return _Place(1 if must else 2, each.known, order, f"{prefix}{each.change}{' (must)' if must else ''}")
    if each.change in ASKED:
        fails = each.new in FAILING
        return _Place(4, each.known, order - 2 * fails, f"{prefix}{each.change}{' and fails' if fails else ''}")
    return _Place(3, each.known, order, f"{prefix}{each.change}")


def _section_lines(transitions: Sequence[Transition]) -> Iterator[str]:
    terse = all(each.change in TERSE and each.new not in FAILING for each in transitions)
    if terse and len({each.requirement for each in transitions}) > MAX_NAMED:
        chapters: dict[str, dict[str, None]] = {}
        for each in transitions:
            chapter, _, name = each.requirement.partition(".")
            chapters.setdefault(chapter, {})[name] = None
        yield from (_shorten(f"{chapter}: {', '.join(names)}") for chapter, names in chapters.items())
        return
    alike: dict[tuple[object, ...], list[Transition]] = {}
    # Musts first; the order of the requirements otherwise.
    for each in sorted(transitions, key=lambda each: each.level != "must"):
        key = (each.requirement, each.old, each.new, each.was, each.effect, len(each.tests), each.message)
        alike.setdefault(key, []).append(each)
    for group in alike.values():
        yield from _transition_lines([each.implementation for each in group], group[0])


def _transition_lines(implementations: Sequence[str], moved: Transition) -> Iterator[str]:
    cases = f", {len(moved.tests)} of {moved.of} cases" if moved.tests else ""
    old, new = _described(moved.old, moved.was), _described(moved.new, moved.effect)
    way = f": {old} -> {new}" if old != new else ""
    said = f": {moved.message[:MAX_LINE]}" if moved.message else ""
    yield _shorten(f"{moved.requirement} ({', '.join(implementations)}){way}{cases}{said}")
    if moved.change is Change.FAILS_DIFFERENTLY and moved.observed:
        yield _shorten(f"    observed: {moved.observed}")
    if moved.gating and moved.rerun:
        yield f"    rerun: {moved.rerun}"


def _described(status: str, effect: str) -> str:
    """Return a status with its effect."""
    if not effect:
        return status or "nothing"
    return f"{status}, {'silently wrong' if effect == WRONG else effect}"


def _shorten(line: str) -> str:
    """Cut a line: what wraps it takes the square of the time for a text without spaces."""
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."
