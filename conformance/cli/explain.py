"""The description of one requirement: wording, tests, faults, known failures, and history."""

import importlib
import textwrap
from collections.abc import Collection, Iterator

from conformance.report import releases as recorded_releases
from conformance.report.reader import read_result
from conformance.spec.coverage import asking_tests
from conformance.spec.expectations import DEFAULT, load_expectations
from conformance.spec.requirements import CHAPTERS, load_requirements
from conformance.utils.suggestions import did_you_mean
from conformance.utils.text import WIDTH, describe_error


class CannotAnswerError(Exception):
    """The environment can't answer; the message says why."""


def explain_lines(identifier: str) -> Iterator[str]:
    """Yield the description as text. Imports torch, for the faults.

    Raises ValueError for an unknown requirement and CannotAnswerError if torch does not import.
    """
    requirements = load_requirements()
    if identifier not in requirements:
        raise ValueError(f"requirement: invalid choice {identifier!r}{_suggestion(identifier, requirements)}")
    _import_torch()
    asked = requirements[identifier]
    yield f"{identifier}   {asked.level}{', core' if asked.core else ''}"
    yield from _wrap("", asked.text)
    yield from _wrap("source: ", asked.source)
    for label, limits in (("since", asked.since), ("only", asked.only), ("not for", asked.not_for)):
        for name, reason in limits.items():
            yield from _wrap(f"{label} {name}: ", reason)
    yield from _wrap("needs: ", ", ".join(asked.needs)) if asked.needs else ()
    yield "tests:"
    yield from (f"  tests/{test}" for test in asking_tests()[identifier])
    yield "faults that its tests detect:"
    yield from _fault_lines(identifier)
    yield "known failures:"
    yield from _known_failure_lines(identifier)
    yield "history:"
    yield from _history_lines(identifier)


def _import_torch() -> None:
    try:
        importlib.import_module("torch")
    except (Exception, SystemExit) as error:
        raise CannotAnswerError(f"environment can't answer: torch does not import: {describe_error(error)}") from error


def _suggestion(identifier: str, requirements: Collection[str]) -> str:
    near = did_you_mean(identifier, requirements)
    if near:
        return near
    chapter = identifier.partition(".")[0]
    names = [each for each in requirements if each.partition(".")[0] == chapter]
    return f"; {chapter} has {', '.join(names)}" if names else f"; the chapters are {', '.join(CHAPTERS)}"


def _fault_lines(identifier: str) -> Iterator[str]:
    from conformance.faults import FAULTS

    found = [fault for fault in FAULTS.values() if fault.breaks == identifier]
    for fault in found:
        yield from _wrap(f"  {fault.__name__}: ", " ".join((fault.__doc__ or "").split()))
    if not found:
        yield "  none"


def _known_failure_lines(identifier: str) -> Iterator[str]:
    found = [each for each in load_expectations(DEFAULT, load_requirements().keys()) if each.requirement == identifier]
    for each in found:
        tests = f", {each.test}" if each.test != "*" else ""
        device = f", on {each.device}" if each.device != "*" else ""
        head = f"  torch {each.torch}, {each.implementation}{device}{tests}: {each.kind}, {each.effect}: "
        yield from _wrap(head, each.summary, indent=6)
        yield from _wrap("      observed: ", f"{each.raises} with {each.match!r}", indent=8)
        searched = f"no issue found upstream on {each.searched}" if each.searched else ""
        script = f"reproducer: {each.reproducer}" if each.reproducer else ""
        yield from _wrap("      ", ", ".join(filter(None, (searched, script))))
    if not found:
        yield "  none"


def _history_lines(identifier: str) -> Iterator[str]:
    results = [read_result(path) for path in recorded_releases.recorded_release_paths().values()]
    keys = {key: None for result in results for key in result.rows if key[0] == identifier}
    rows = {
        name: [recorded_releases.status_text(result, (requirement, name)) for result in results]
        for requirement, name in keys
    }
    yield from (
        f"  {line}".rstrip()
        for line in recorded_releases.changes_as_text(recorded_releases.release_labels(results), rows)
    )


def _wrap(head: str, text: str, indent: int | None = None) -> list[str]:
    return textwrap.wrap(head + text, WIDTH, subsequent_indent=" " * (len(head) if indent is None else indent))
