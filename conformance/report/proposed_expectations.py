"""Proposed expectations: the failures of a run as entries of an expectations file, for a person to complete.

No entry is accepted as it is written: it has no reason, and a bug has neither a link or a date nor a reproducer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from os.path import commonprefix
from typing import Any

import tomli_w

from conformance.report.case_change import NUMBERS, UNEXPECTED_PASS
from conformance.report.results import FAILING, CaseResult, RequirementResult, Status
from conformance.spec.expectations import parse_release
from conformance.utils.text import one_line

MAX_ENTRIES = 500
MAX_NOTES = 100  # comments about failures without an entry
MAX_READ = 1_000  # characters of a message
MAX_ALIKE = 150  # characters without numbers that errors share if they are the same
MAX_MATCH = 100
MIN_MATCH = 4
MAX_TEST = 200  # characters of a test's name
MAX_COMMENT = 200
# What differs between machines and runs: numbers and paths of files.
PATHS = r"\S*[/\\]\S*[/\\]\S*"
VOLATILE = re.compile(rf"{PATHS}|(?:{NUMBERS.pattern})", re.IGNORECASE)
# The same without numbers that belong to a word, such as float64.
STANDALONE = re.compile(rf"{PATHS}|(?<!\w)(?:{NUMBERS.pattern})(?!\w)", re.IGNORECASE)
PUNCTUATION = " .,:;()[]{}<>='\"`"
DIED = "crashed:"  # of a worker, in which no expectation could excuse anything
DIED_IN_CHILD = "in a child process, which ended with"
# Exceptions that libraries raise on purpose. Others, such as KeyError, come from code that expected no mistake.
DELIBERATE = ("NotImplementedError", "RuntimeError", "TypeError", "ValueError")
UNCLEAR = ("INTERNAL ASSERT", "refused unclearly", "refused without naming")
KEYS = (
    *("requirement", "implementation", "torch", "device", "test", "raises", "match", "effect"),
    *("kind", "searched", "reproducer", "reason"),
)
HEAD = """\
# Failures of a run on torch {torch}, device {device}. Complete each entry or delete it: one without reason is refused.
# reason: what happens, and to whom. effect: wrong, crash, refused or unclear; check what is proposed. match: a stable
# part of the message. kind: bug or limitation. For a bug: `searched`, the date on which no issue was found upstream, or
# else a link as `upstream`; and `reproducer`, the name of a script in fixtures/reproducers/ without .py.
"""


def expectations_text(table: Sequence[RequirementResult], facts: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the TOML text. `facts`: the environment. `names`: what each implementation of the table calls itself."""
    release = parse_release(facts["torch"])
    device = str(facts["device"]).partition(":")[0]
    where = {"torch": f">={release.major}.{release.minor}"} | ({"device": device} if device != "cpu" else {})
    entries: dict[tuple[tuple[str, str], ...], tuple[dict[str, None], list[CaseResult]]] = {}
    notes: list[str] = []
    for row in table:
        for entry, cases in _entries_of_row(row, notes):
            # Implementations that fail alike share an entry.
            who, shown = entries.setdefault(tuple(entry.items()), ({}, []))
            who[names[row.implementation]] = None
            shown += cases
    parts = [HEAD.format(torch=one_line(str(release)), device=one_line(device))]
    for described, (who, cases) in list(entries.items())[:MAX_ENTRIES]:
        parts.append(f"\n# {_count(cases)}: {one_line(_observed(cases[0]), MAX_COMMENT)}\n")
        parts.append(_entry_text(dict(described), list(who), where))
    if len(entries) > MAX_ENTRIES:
        parts.append(f"\n# {len(entries) - MAX_ENTRIES} more entries: a run with so many failures has another cause.\n")
    parts += [f"\n# No entry can record this: {one_line(note, MAX_COMMENT)}\n" for note in notes[:MAX_NOTES]]
    return "".join(parts)


def _entry_text(entry: Mapping[str, str], who: Sequence[str], where: Mapping[str, str]) -> str:
    """Return an entry in TOML, with empty values for what a person has to fill in."""
    values = {"implementation": ", ".join(who), "kind": "bug", **entry, **where}
    values |= dict.fromkeys(("searched", "reproducer", "reason"), "")
    return tomli_w.dumps({"expectation": [{key: values[key] for key in KEYS if key in values}]})


def _entries_of_row(row: RequirementResult, notes: list[str]) -> Iterator[tuple[dict[str, str], Sequence[CaseResult]]]:
    """Yield what describes each error of a requirement, and its cases. Add a note for what can't be recorded."""
    asked = [case for case in row.cases if case.status is not Status.NOT_APPLICABLE]
    alike: dict[tuple[str, str], list[CaseResult]] = {}
    for case in asked:
        problem = _unrecordable_reason(case)
        if problem:
            notes.append(f"{row.requirement.id}, {_name(case)}: {problem}: {_observed(case)}")
        elif case.status is Status.FAILS:
            alike.setdefault((case.raises, VOLATILE.sub("#", _observed(case))[:MAX_ALIKE]), []).append(case)
    for cases in alike.values():
        error = {
            "requirement": row.requirement.id,
            "raises": cases[0].raises,
            "match": stable_part([_observed(case) for case in cases]),
            "effect": _effect(cases[0]),
        }
        if len(cases) == len(asked):
            yield error, cases
            continue
        for test, some in _patterns(cases, asked):
            yield error | {"test": test}, some


def _unrecordable_reason(case: CaseResult) -> str | None:
    """Return why no entry can record a failing case, or None."""
    if case.status not in FAILING:
        return None
    if case.status is Status.UNSTABLE:
        return "it is unstable"
    if case.message.startswith(UNEXPECTED_PASS):
        return "it passes: narrow its entry, or delete it"
    if case.message.startswith(DIED):
        return "its process died"
    return None if case.raises else "it raises no builtin exception type of its own"


def _patterns(cases: Sequence[CaseResult], asked: Sequence[CaseResult]) -> Iterator[tuple[str, Sequence[CaseResult]]]:
    """Yield patterns for the names of the cases: one for each test where one matches no other case, else all names."""
    for function in dict.fromkeys(_function(case) for case in cases):
        some = [case for case in cases if _function(case) == function]
        others = [_name(case) for case in asked if _function(case) == function and case not in some]
        pattern = _common_pattern([_name(case) for case in some]) if others else f"{function}[*"
        if any(fnmatchcase(_literal(name), _literal(pattern)) for name in others):
            yield from ((_shorten(_name(case)), [case]) for case in some)
        else:
            yield _shorten(pattern), some


def _common_pattern(names: Sequence[str]) -> str:
    """Return the only name, or what the names begin and end with around a `*`."""
    if len(names) == 1:
        return names[0]
    start = commonprefix(names)  # noqa: RUF071 - these are no paths
    end = commonprefix([name[len(start) :][::-1] for name in names])[::-1]  # noqa: RUF071
    return f"{start}*{end}"


def _literal(name: str) -> str:
    """Return a name or a pattern in which brackets mean nothing, as they do in an expectation."""
    return name.replace("[", "(")


def _name(case: CaseResult) -> str:
    return case.test.partition("::")[2] or case.test


def _function(case: CaseResult) -> str:
    return _name(case).partition("[")[0]


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_TEST else f"{name[:MAX_TEST]}*"


def _observed(case: CaseResult) -> str:
    """Return what was observed, without the layer that the diagnosis adds."""
    return case.message.removesuffix(f"; first layer that differs: {case.layer}")[:MAX_READ]


def stable_part(messages: Sequence[str]) -> str:
    """Return the longest part without numbers and paths that all messages have; empty if it is too short to tell."""
    parts = [each for pattern in (STANDALONE, VOLATILE) for each in pattern.sub("\n", messages[0]).split("\n")]
    shared = [each.strip(PUNCTUATION) for each in parts if all(each in said for said in messages)]
    longest = max(shared, key=len, default="")
    if len(longest) > MAX_MATCH:
        longest = longest[:MAX_MATCH].rpartition(" ")[0] or longest[:MAX_MATCH]
    return longest if len(longest) >= MIN_MATCH else ""


def _effect(case: CaseResult) -> str:
    """Propose the effect of a failure."""
    said = _observed(case)
    if said.startswith(DIED_IN_CHILD):
        return "crash"
    if any(word in said for word in UNCLEAR):
        return "unclear"
    if case.raises == "AssertionError":
        return "wrong"
    return "refused" if case.raises in DELIBERATE else "unclear"


def _count(cases: Sequence[CaseResult]) -> str:
    return f"{len(cases)} case{'s' * (len(cases) != 1)}"
