"""The reference of requirements, from conformance/spec/*.toml."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from conformance.spec.coverage import asking_tests
from conformance.spec.expectations import DEFAULT, Expectation, load_expectations
from conformance.spec.index import load_index
from conformance.spec.requirements import CHAPTERS, LEVELS, SPEC, Requirement, load_requirements
from docs.generate.markdown import code, escape, table


def chapter_question(chapter: str) -> str:
    """Return the question that a chapter answers: the comment in the first line of its file."""
    return (SPEC / f"{chapter}.toml").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def of_chapter(chapter: str) -> list[Requirement]:
    """Return the requirements of a chapter, in the order of its file."""
    return [each for each in load_requirements().values() if each.chapter == chapter]


def reference(requirement: Requirement) -> str:
    """Return a link to a requirement from any page."""
    return f"[{requirement.id.partition('.')[2]}](#{requirement.id})"


def chapter_lines() -> Iterator[str]:
    """Yield the table of the chapters with their counts, and the toctree of their pages."""
    yield from table(("chapter", "question", *LEVELS, "core", "all"), [*map(_chapter_row, CHAPTERS), _total_row()])
    yield from ("```{toctree}", ":hidden:", "", *(f"requirements/{chapter}" for chapter in CHAPTERS), "```", "")


def _chapter_row(chapter: str) -> list[object]:
    link = f"[{chapter}](requirements/{chapter}.md)"
    return [link, escape(chapter_question(chapter)), *_counts(of_chapter(chapter))]


def _total_row() -> list[object]:
    return ["all", "", *_counts(list(load_requirements().values()))]


def _counts(rows: Sequence[Requirement]) -> list[object]:
    levels = [sum(each.level == level for each in rows) or "" for level in LEVELS]
    return [*levels, sum(each.core for each in rows) or "", len(rows)]


def core_lines() -> Iterator[str]:
    """Yield the table of the requirements of ``--profile=core``."""
    core = {chapter: [each for each in of_chapter(chapter) if each.core] for chapter in CHAPTERS}
    rows = [(chapter, ", ".join(map(reference, found))) for chapter, found in core.items() if found]
    yield from table(("chapter", "core requirements"), rows)


def chapter_page(chapter: str) -> str:
    """Return the page of a chapter: a section for each requirement, whose anchor is its id."""
    lines = [f"# {chapter}", "", escape(chapter_question(chapter)), ""]
    for each in of_chapter(chapter):
        lines += [f"({each.id})=", f"## {each.id.partition('.')[2]}", "", *requirement_lines(each)]
    return "\n".join(lines)


def requirement_lines(requirement: Requirement) -> Iterator[str]:
    """Yield all that is known of a requirement without running it."""
    yield from (f"{escape(requirement.text)}", "")
    yield f":Id: {code(requirement.id)}"
    yield f":Level: {requirement.level}{', part of the core' if requirement.core else ''}"
    yield f":Added: version {requirement.added} of the suite"
    source = requirement.source
    yield f":Source: {code(source) if '/' in source and '://' not in source and ' ' not in source else escape(source)}"
    yield from _field("Since", [f"torch {release}: {escape(why)}" for release, why in requirement.since.items()])
    yield from _field("Only for", [f"{code(name)}: {escape(why)}" for name, why in requirement.only.items()])
    yield from _field("Not for", [f"{code(name)}: {escape(why)}" for name, why in requirement.not_for.items()])
    yield from _field("Needs", [", ".join(map(code, requirement.needs))] if requirement.needs else [])
    yield from _field("Tests", [code(f"tests/{test}") for test in asking_tests().get(requirement.id, ())])
    yield from _field("Faults", faults().get(requirement.id, []))
    yield from _field("Known failures", [known_failure(each) for each in known_failures().get(requirement.id, [])])
    yield ""


def _field(name: str, values: Sequence[str]) -> Iterator[str]:
    if len(values) == 1:
        yield f":{name}: {values[0]}"
    elif values:
        yield f":{name}:"
        yield from (f"  - {each}" for each in values)


@cache
def faults() -> Mapping[str, list[str]]:
    """Return the faults by the requirement that they break."""
    found: dict[str, list[str]] = {}
    for name, each in load_index().faults.items():
        found.setdefault(each["breaks"], []).append(f"{code(name)}: {escape(each['text'])}")
    return found


@cache
def known_failures() -> Mapping[str, list[Expectation]]:
    """Return the recorded known failures by requirement."""
    found: dict[str, list[Expectation]] = {}
    for each in load_expectations(DEFAULT, load_requirements().keys()):
        found.setdefault(each.requirement, []).append(each)
    return found


def known_failure(each: Expectation) -> str:
    """Return a known failure in one line."""
    names = ", ".join(code(name.strip()) for name in each.implementation.split(","))
    device = f", device {code(each.device)}" if each.device != "*" else ""
    test = f", {code(each.test)}" if each.test != "*" else ""
    return f"{names}, torch {code(each.torch)}{device}{test}: {each.kind}, {each.effect}: {escape(each.summary)}"
