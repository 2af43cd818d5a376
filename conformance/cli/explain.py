"""The descriptions of requirements: wording, tests, faults, known failures, and history. Torch is not imported."""

import textwrap
from collections.abc import Iterator

from conformance.report.releases import changes_as_text
from conformance.spec.coverage import asking_tests_of_chapter
from conformance.spec.expectations import DEFAULT, Expectation, load_expectations
from conformance.spec.index import load_index
from conformance.spec.requirements import Requirement, load_requirements
from conformance.spec.selection import select_requirements
from conformance.utils.text import WIDTH


def explain_lines(name: str) -> Iterator[str]:
    """Yield the description of the requirement of that id, or of all of a chapter or a pattern, as text.

    Of several requirements only what they ask, and how many known failures they have. Raises ValueError for a name
    that matches none.
    """
    requirements = load_requirements()
    selected = [requirements[each] for each in select_requirements(requirements, [name], [], "requirement")]
    known = load_expectations(DEFAULT, requirements.keys())
    for each in selected:
        failures = [entry for entry in known if entry.requirement == each.id]
        yield from _all_lines(each, failures) if len(selected) == 1 else _short_lines(each, failures)
    if len(selected) > 1:
        yield f"{len(selected)} requirements; conformance explain ID shows all about one"


def _short_lines(asked: Requirement, failures: list[Expectation]) -> Iterator[str]:
    yield _heading(asked)
    yield from _wrap("  ", asked.text)
    yield from (f"  known failures: {len(failures)}",) if failures else ()


def _all_lines(asked: Requirement, failures: list[Expectation]) -> Iterator[str]:
    yield _heading(asked)
    yield from _wrap("", asked.text)
    yield from _wrap("source: ", asked.source)
    yield f"added in: {asked.added} of the suite"
    for label, limits in (("since", asked.since), ("only", asked.only), ("not for", asked.not_for)):
        for name, reason in limits.items():
            yield from _wrap(f"{label} {name}: ", reason)
    yield from _wrap("needs: ", ", ".join(asked.needs)) if asked.needs else ()
    yield "tests:"
    yield from (f"  tests/{test}" for test in asking_tests_of_chapter(asked.chapter)[asked.id])
    yield "faults that its tests detect:"
    yield from _fault_lines(asked.id)
    yield "known failures:"
    yield from _known_failure_lines(failures)
    yield "history:"
    yield from _history_lines(asked.id)


def _heading(asked: Requirement) -> str:
    return f"{asked.id}   {asked.level}{', core' if asked.core else ''}"


def _fault_lines(identifier: str) -> Iterator[str]:
    found = {name: each for name, each in load_index().faults.items() if each["breaks"] == identifier}
    for name, each in found.items():
        yield from _wrap(f"  {name}: ", each["text"])
    if not found:
        yield "  none"


def _known_failure_lines(failures: list[Expectation]) -> Iterator[str]:
    for each in failures:
        tests = f", {each.test}" if each.test != "*" else ""
        device = f", on {each.device}" if each.device != "*" else ""
        head = f"  torch {each.torch}, {each.implementation}{device}{tests}: {each.kind}, {each.effect}: "
        yield from _wrap(head, each.summary, indent=6)
        yield from _wrap("      observed: ", f"{each.raises} with {each.match!r}", indent=8)
        searched = f"no issue found upstream on {each.searched}" if each.searched else ""
        script = f"reproducer: {each.reproducer}" if each.reproducer else ""
        yield from _wrap("      ", ", ".join(filter(None, (searched, script))))
    if not failures:
        yield "  none"


def _history_lines(identifier: str) -> Iterator[str]:
    index = load_index()
    rows = {name: cells.split(" | ") for name, cells in index.history.get(identifier, {}).items()}
    yield from (f"  {line}".rstrip() for line in changes_as_text(list(index.releases), rows))


def _wrap(head: str, text: str, indent: int | None = None) -> list[str]:
    return textwrap.wrap(head + text, WIDTH, subsequent_indent=" " * (len(head) if indent is None else indent))
