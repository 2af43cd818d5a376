"""The rules that an entry of a file of known failures has to follow; the first one that it breaks is a sentence."""

import builtins
import re
import reprlib
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Any

from packaging.specifiers import SpecifierSet

from conformance.utils.suggestions import did_you_mean, invalid_choice

KINDS = ("bug", "limitation")
EFFECTS = ("wrong", "crash", "unclear", "refused")  # the worst first
CHOICES = {"kind": KINDS, "effect": EFFECTS}
LINK = re.compile(r"https?://[^\s/]+/?\S*")
STEM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
OPTIONAL = ("test", "device", "upstream", "searched", "reproducer")
REQUIRED_FOR_BUG = ("reproducer",)
# Characters of a field; each pattern and each range is compared with every test.
LONGEST = {
    "requirement": 200,
    "torch": 200,
    "raises": 200,
    "reason": 2_000,
    "kind": 20,
    "implementation": 500,
    "test": 500,
    "device": 100,
    "effect": 20,
    "match": 200,
    "upstream": 500,
    "searched": 20,
    "reproducer": 100,
}


def entry_mistake(entry: Any, fields: Collection[str], requirements: Collection[str]) -> str | None:
    """Return the mistake in one entry as a sentence, or None. `fields`: all keys that an entry may have."""
    mistake = _form_mistake(entry, fields)
    return mistake or next(chain(_value_mistakes(entry, requirements), _evidence_mistakes(entry)), None)


def _form_mistake(entry: Any, fields: Collection[str]) -> str | None:
    """Return what is wrong with the keys, or with the text of a value."""
    if not isinstance(entry, dict):
        return "is no table"
    mistakes = chain(
        (f"unknown key {shown(key)}{did_you_mean(key, fields)}" for key in entry if key not in fields),
        (f"{key}: expected a string, got {shown(it)}" for key, it in entry.items() if not isinstance(it, str)),
        (
            f"{key} is longer than {limit} characters"
            for key, limit in LONGEST.items()
            if len(entry.get(key, "")) > limit
        ),
        (f"{key} is {shown(it)}, which can't be printed" for key, it in entry.items() if not _printable(it)),
        (f"has no {key}" for key in fields if key not in OPTIONAL and not entry.get(key, "").strip()),
    )
    return next(mistakes, None)


def _value_mistakes(entry: Mapping[str, str], requirements: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the values of an entry whose keys are right."""
    error = getattr(builtins, entry["raises"], None)
    if not (isinstance(error, type) and issubclass(error, Exception) and error is not Exception):
        yield f"raises {shown(entry['raises'])}, which is no builtin exception type of its own"
    if entry["requirement"] not in requirements:
        yield f"unknown requirement {shown(entry['requirement'])}"
    for key, choices in CHOICES.items():
        if key in entry and entry[key] not in choices:
            yield f"{key}: {invalid_choice(entry[key], choices)}"
    try:
        SpecifierSet(entry["torch"]).contains("2.0")
    except ValueError:
        yield f"torch {shown(entry['torch'])} is no version range"


def _evidence_mistakes(entry: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with what an entry says for itself: issue, date of the search, script."""
    known = [key for key in ("upstream", "searched") if key in entry]
    if len(known) > 1:
        yield "has both upstream and searched: searched says that nothing was found"
    if entry["kind"] == "bug":
        if not known:
            yield "a bug needs upstream, a link, or searched, the date on which none was found"
        yield from (f"a bug needs {key}" for key in REQUIRED_FOR_BUG if key not in entry)
    if not LINK.fullmatch(entry.get("upstream", "https://_")):
        yield f"upstream: expected a link, got {shown(entry['upstream'])}"
    if not _is_date(entry.get("searched", "2000-01-01")):
        yield f"searched: expected a date such as 2026-01-31, got {shown(entry['searched'])}"
    if not STEM.fullmatch(entry.get("reproducer", "_")):
        yield f"reproducer: expected the name of a script, without .py, got {shown(entry['reproducer'])}"


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _printable(text: str) -> bool:
    """Lines may be broken; nothing else may tell a terminal what to do."""
    return all(line.isprintable() for line in text.split("\n"))


class _Shown(reprlib.Repr):
    """The `repr` of a value from a file, however large it is or deeply nested."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = self.maxlong = 60


shown = _Shown().repr
