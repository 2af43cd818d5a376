"""The difference between two results as text."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from conformance.report.diff import GATING_CHANGES, Change, Transition
from conformance.report.reader import Result
from conformance.report.releases import release_labels
from conformance.utils.text import WIDTH, escape_unprintable, one_line

# More requirements than this are listed by chapter and without messages, for these kinds of change.
MAX_NAMED = 10
MAX_LINE = 2_000  # characters; a terminal gets the first three lines of them, and a page all
TERSE = (Change.NO_LONGER_RUNS, Change.NEWLY_RUNS, Change.NEW, Change.GONE)


class Section(NamedTuple):
    """The lines of one kind of change. `gating`: it gives the comparison exit code 1."""

    title: str
    lines: list[str]
    gating: bool


def diff_lines(old: Result, new: Result, transitions: Sequence[Transition]) -> Iterator[str]:
    """Yield the two results, how their runs differ, the changes by kind, and a summary line."""
    before, after = release_labels([old, new])
    yield one_line(f"what changed from torch {before} ({old.name}) to {after} ({new.name})")
    yield from map(one_line, changed_conditions(old, new))
    for title, found, _ in diff_sections(transitions):
        yield f"{title}:"
        for line in found:
            yield from _indent(line)
    yield diff_summary(transitions)


def diff_sections(transitions: Sequence[Transition]) -> list[Section]:
    """Group transitions by kind of change, known failures last."""
    found: list[Section] = []
    for known in (False, True):
        for change in Change:
            alike = [each for each in transitions if (each.change, each.known) == (change, known)]
            if alike:
                title = f"known failures, {change}" if known else str(change)
                found.append(Section(title, list(_section_lines(alike)), change in GATING_CHANGES and not known))
    return found


def diff_summary(transitions: Sequence[Transition]) -> str:
    """Return one line with the number of requirements that changed, by kind of change."""
    moved: dict[tuple[bool, Change], set[str]] = {}
    for each in transitions:
        moved.setdefault((each.known, each.change), set()).add(each.requirement)
    count = {key: len(requirements) for key, requirements in moved.items()}
    parts = [
        ", ".join(f"{count[known, change]} {change}" for change in Change if (known, change) in count)
        for known in (False, True)
    ]
    if not any(parts):
        return "CHANGED: nothing"
    return "CHANGED: " + "; ".join(
        [parts[0] or "nothing but known failures", *([f"known failures: {parts[1]}"] * bool(parts[1]))]
    )


def _section_lines(transitions: Sequence[Transition]) -> Iterator[str]:
    if transitions[0].change in TERSE and len({each.requirement for each in transitions}) > MAX_NAMED:
        chapters: dict[str, dict[str, None]] = {}
        for each in transitions:
            chapter, _, name = each.requirement.partition(".")
            chapters.setdefault(chapter, {})[name] = None
        yield from (_shorten(f"{chapter}: {', '.join(names)}") for chapter, names in chapters.items())
        return
    alike: dict[tuple[object, ...], list[Transition]] = {}
    for each in transitions:
        alike.setdefault((each.requirement, each.old, each.new, len(each.tests), each.message), []).append(each)
    for group in alike.values():
        yield from _transition_lines([each.implementation for each in group], group[0])


def _transition_lines(implementations: Sequence[str], moved: Transition) -> Iterator[str]:
    cases = f", {len(moved.tests)} of {moved.of} cases" if moved.tests else ""
    way = f": {moved.old or 'nothing'} -> {moved.new or 'nothing'}" if moved.old != moved.new else ""
    said = f": {moved.message[:MAX_LINE]}" if moved.message else ""
    yield _shorten(f"{moved.requirement} ({', '.join(implementations)}){way}{cases}{said}")
    if moved.gating and moved.rerun:
        yield f"    rerun: {moved.rerun}"


CONDITIONS: dict[str, Callable[[Result], object]] = {
    "device": lambda each: each.content["environment"]["device"],
    "accelerators": lambda each: ", ".join(each.content["environment"].get("accelerators", [])),
    "cpu": lambda each: each.content["environment"]["cpu_capability"],
    "python": lambda each: each.content["environment"]["python"],
    "profile": lambda each: each.content["options"]["profile"],
    "seed": lambda each: each.content["options"]["seed"],
    "fault": lambda each: each.content["options"]["fault"] or "none",
    "implementations": lambda each: ", ".join(each.content["options"]["implementations"]),
}


def changed_conditions(old: Result, new: Result) -> Iterator[str]:
    """Yield the settings other than torch in which two runs differ; they may explain the changes."""
    for name, ask in CONDITIONS.items():
        was, now = ask(old), ask(new)
        if was != now:
            yield f"also differs: {name} {was} -> {now}"


def _shorten(line: str) -> str:
    """Cut a line: what wraps it takes the square of the time for a text without spaces."""
    return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."


def _indent(line: str) -> list[str]:
    text = escape_unprintable(line.rstrip())
    if text.startswith(" "):
        return [f"  {text}"]  # a command to copy: never wrapped
    return textwrap.wrap(
        text, WIDTH, initial_indent="  ", subsequent_indent="      ", max_lines=3, placeholder=" ..."
    ) or [""]
