"""The description of requirements: wording, tests, faults, known failures, and history. It does not import torch."""

import textwrap
from collections.abc import Iterator, Sequence

from conformance.report.releases import changes_as_text
from conformance.spec.coverage import asking_tests_of_chapter
from conformance.spec.expectations import DEFAULT, Expectation, load_expectations
from conformance.spec.index import load_index
from conformance.spec.requirements import Requirement, load_requirements
from conformance.spec.selection import select_requirements
from conformance.utils.text import WIDTH

LABEL = "requirement"  # of a mistake in a name


def explain_lines(names: Sequence[str]) -> Iterator[str]:
    """Yield the description of one requirement as text, or a short form for each of several.

    `names`: ids, patterns and chapters. Raises ValueError with one line for a name that matches no requirement.
    """
    requirements = load_requirements()
    asked = [requirements[each] for each in select_requirements(requirements, names, [], LABEL)]
    known: dict[str, list[Expectation]] = {each.id: [] for each in asked}
    for entry in load_expectations(DEFAULT, requirements.keys()):
        known.setdefault(entry.requirement, []).append(entry)
    if len(asked) == 1:
        yield from _long_form(asked[0], known[asked[0].id])
    else:
        for each in asked:
            yield from (*_short_form(each, known[each.id]), "")
        yield f"{len(asked)} requirements; `conformance explain ID` shows everything known about one"


def _long_form(asked: Requirement, known: Sequence[Expectation]) -> Iterator[str]:
    yield from _head(asked)
    yield "tests:"
    yield from (f"  tests/{test}" for test in _tests(asked))
    yield "faults that its tests detect:"
    yield from _fault_lines(asked) if _faults(asked) else ["  none"]
    yield "known failures:"
    yield from _known_failure_lines(known) if known else ["  none"]
    yield "history:"
    yield from _history_lines(asked)


def _short_form(asked: Requirement, known: Sequence[Expectation]) -> Iterator[str]:
    yield from _head(asked)
    found = {"test": _tests(asked), "fault": _faults(asked), "known failure": known}
    yield ", ".join(f"{len(each)} {name}{'s' * (len(each) != 1)}" for name, each in found.items())


def _head(asked: Requirement) -> Iterator[str]:
    yield f"{asked.id}   {asked.level}{', core' if asked.core else ''}"
    yield from _wrap("", asked.text)
    yield from _wrap("source: ", asked.source)
    yield f"added: version {asked.added} of the suite"
    for label, limits in (("since", asked.since), ("only", asked.only), ("not for", asked.not_for)):
        for name, reason in limits.items():
            yield from _wrap(f"{label} {name}: ", reason)
    yield from _wrap("needs: ", ", ".join(asked.needs)) if asked.needs else ()


def _tests(asked: Requirement) -> Sequence[str]:
    return asking_tests_of_chapter(asked.chapter)[asked.id]


def _faults(asked: Requirement) -> Sequence[tuple[str, str]]:
    return [(name, fault["text"]) for name, fault in load_index().faults.items() if fault["breaks"] == asked.id]


def _fault_lines(asked: Requirement) -> Iterator[str]:
    for name, text in _faults(asked):
        yield from _wrap(f"  {name}: ", text)


def _known_failure_lines(known: Sequence[Expectation]) -> Iterator[str]:
    for each in known:
        tests = f", {each.test}" if each.test != "*" else ""
        device = f", on {each.device}" if each.device != "*" else ""
        head = f"  torch {each.torch}, {each.implementation}{device}{tests}: {each.kind}, {each.effect}: "
        yield from _wrap(head, each.summary, indent=6)
        yield from _wrap("      observed: ", f"{each.raises} with {each.match!r}", indent=8)
        searched = f"no issue found upstream on {each.searched}" if each.searched else ""
        script = f"reproducer: {each.reproducer}" if each.reproducer else ""
        yield from _wrap("      ", ", ".join(filter(None, (searched, script))))


def _history_lines(asked: Requirement) -> Iterator[str]:
    index = load_index()
    rows = index.history.get(asked.id, {})
    yield from (f"  {line}".rstrip() for line in changes_as_text(list(index.releases), rows))


def _wrap(head: str, text: str, indent: int | None = None) -> list[str]:
    return textwrap.wrap(head + text, WIDTH, subsequent_indent=" " * (len(head) if indent is None else indent))
