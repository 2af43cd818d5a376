"""The known failures of a run as lines of a terminal, by their effect on a user: what is silently wrong comes first."""

import textwrap
from collections.abc import Iterator, Sequence

from conformance.report.results import RequirementResult, Status
from conformance.spec.entry_rules import EFFECTS
from conformance.utils.text import WIDTH

# The heading of each effect; what was recorded by an older suite has none.
HEADINGS = {
    "wrong": "silently wrong results",
    "crash": "a crash",
    "unclear": "an error that does not help",
    "refused": "a clear error",
    "": "an effect that is not recorded",
}


def known_failure_lines(table: Sequence[RequirementResult]) -> Iterator[str]:
    """Yield known failures by effect and chapter, with the implementations where not all share one."""
    everyone = {row.implementation for row in table}
    found: dict[str, dict[str, list[str]]] = {}
    for row in table:
        if row.status is Status.KNOWN_FAILURE:
            found.setdefault(row.effect, {}).setdefault(row.requirement.id, []).append(row.implementation)
    for effect in (*EFFECTS, ""):
        if effect in found:
            count = sum(map(len, found[effect].values()))
            yield f"known failures with {HEADINGS[effect]} ({count}):"
            yield from _chapter_lines(found[effect], everyone)


def _chapter_lines(found: dict[str, list[str]], everyone: set[str]) -> Iterator[str]:
    chapters: dict[str, list[str]] = {}
    for identifier, who in found.items():
        chapter, _, name = identifier.partition(".")
        chapters.setdefault(chapter, []).append(name + (f" [{', '.join(who)}]" if set(who) != everyone else ""))
    for chapter, names in chapters.items():
        head = f"  {chapter}: "
        yield from textwrap.wrap(head + ", ".join(names), WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)
