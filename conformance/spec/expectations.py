"""Loads and matches known failures: one file for all releases, devices and implementations.

The file is data from outside: parsed strictly, never evaluated. An entry excuses a test only if everything that it
names matches, and the test must then fail, with that error.
"""

import builtins
import re
import reprlib
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from conformance.spec.locations import FIXTURES
from conformance.utils.files import error_reason, read_regular
from conformance.utils.suggestions import did_you_mean, invalid_choice
from conformance.utils.text import escape_unprintable, one_line

KINDS = ("bug", "limitation")
EFFECTS = ("wrong", "crash", "unclear", "refused")  # the worst first
DEFAULT = FIXTURES / "expectations.toml"
MOST_BYTES = 1_000_000
MOST_PARTS = 50_000  # keys, tables and values: the signs that make tomllib create an object
MOST_ENTRIES = 2_000
MOST_OF_A_LINE = 500  # characters: a dotted key costs tomllib the square of its length
MOST_OF_A_PATH = 120
MOST_OF_A_MISTAKE = 300
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
    "url": 500,
}


@dataclass(frozen=True)
class Expectation:
    """A failure known upstream.

    `requirement`: its id. `torch`: a version range, such as ``>=2.0,<2.6``. `raises`: the builtin exception type that
    the test fails with. `reason`. `kind`: bug or limitation. `implementation`: names or patterns (``compiled*``),
    separated by commas; it excuses only those that it names.
    Optional: `test`, a pattern (``*`` and ``?``) for names of tests with their parameters, to excuse only some;
    `device`, a device type, or ``!cpu`` for all but that one; `url`, where upstream knows of it.
    """

    requirement: str
    torch: str
    raises: str
    reason: str
    kind: str
    implementation: str
    test: str = "*"
    device: str = "*"
    url: str = ""

    @property
    def error(self) -> type[BaseException]:
        error: type[BaseException] = getattr(builtins, self.raises)
        return error

    def covers_environment(self, *, torch: str, device: str, implementation: str) -> bool:
        """Return whether it covers this release, device type and implementation."""
        return (
            SpecifierSet(self.torch).contains(parse_release(torch), prereleases=True)
            and (device != self.device[1:] if self.device.startswith("!") else fnmatchcase(device, self.device))
            and any(fnmatchcase(implementation, pattern) for pattern in re.split(r",\s*", self.implementation))
        )

    def covers_test(self, requirement: str, test: str) -> bool:
        """Return whether it covers this test, given by its name with parameters, ``test_name[a-b]``."""
        return requirement == self.requirement and bool(self._test_pattern.match(test.replace("[", "(")))

    @cached_property
    def _test_pattern(self) -> re.Pattern[str]:
        # Compiled once: `fnmatchcase` forgets a pattern when there are many.
        return re.compile(translate(self.test.replace("[", "(")))


def parse_release(version: str) -> Version:
    """The release that a version of torch belongs to: 2.16.0 for 2.16.0.dev20270101+cpu and 2.16.0a0+git1234."""
    digits = re.match(r"\d+(\.\d+)*", version)
    if digits is None:
        raise ValueError(f"torch calls its version {version!r}")
    return Version(digits.group())


def load_expectations(path: Path, requirements: Collection[str]) -> list[Expectation]:
    """The entries of the file. Raises ValueError with one line that names the file, the entry and the mistake."""
    content = read(path)
    entries = content.pop("expectation", [])
    if content:
        raise file_mistake(path, f"expected [[expectation]] tables and nothing else, found {shown(sorted(content))}")
    return parsed(path, entries, requirements)


def read(path: Path) -> dict[str, Any]:
    """Return the content of the TOML file. Raises ValueError with one line that names the file and the mistake."""
    try:
        return tomllib.loads(_text(read_regular(path, MOST_BYTES)))
    except RecursionError as error:
        raise file_mistake(path, "is nested too deeply") from error
    except OSError as error:
        raise file_mistake(path, error_reason(error)) from error
    except ValueError as error:
        raise file_mistake(path, str(error)) from error


def file_mistake(path: Path, mistake: str) -> ValueError:
    """Return the error for a mistake in a file: one printable line. Of a long path the end is shown."""
    name = escape_unprintable(str(path))
    name = name if len(name) <= MOST_OF_A_PATH else f"...{name[-MOST_OF_A_PATH:]}"
    # Only a short text is split into words, even if the file holds a long one.
    return ValueError(f"{name}: {one_line(mistake[: 2 * MOST_OF_A_MISTAKE], MOST_OF_A_MISTAKE)}")


def _text(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES} bytes")
    if sum(data.count(sign) for sign in (b".", b"=", b"[", b"{", b",")) > MOST_PARTS:
        raise ValueError(f"has more than {MOST_PARTS} keys, tables and values")
    text = data.decode()
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MOST_OF_A_LINE:
            raise ValueError(f"line {number} is longer than {MOST_OF_A_LINE} characters")
    return text


def parsed(path: Path, entries: Any, requirements: Collection[str]) -> list[Expectation]:
    """The file's [[expectation]] tables; ValueError as from `load_expectations`."""
    if not isinstance(entries, list):
        raise file_mistake(path, f"expected [[expectation]] tables, found {shown(entries)}")
    if len(entries) > MOST_ENTRIES:
        raise file_mistake(path, f"expected at most {MOST_ENTRIES} [[expectation]] tables, found {len(entries)}")
    loaded: dict[Expectation, None] = {}
    for number, entry in enumerate(entries, start=1):
        mistake = _mistake(entry, requirements)
        if mistake:
            raise file_mistake(path, f"expectation {number}: {mistake}")
        expectation = Expectation(**entry)
        if expectation in loaded:
            raise file_mistake(path, f"expectation {number}: stands twice")
        loaded[expectation] = None
    return list(loaded)


def _mistake(entry: Any, requirements: Collection[str]) -> str | None:
    """Return the mistake in one entry as a sentence, or None."""
    if not isinstance(entry, dict):
        return "is no table"
    fields = Expectation.__dataclass_fields__
    optional = {"test", "device", "url"}
    mistakes = [f"unknown key {shown(key)}{did_you_mean(key, fields)}" for key in entry if key not in fields]
    if mistakes:
        return mistakes[0]
    mistakes += [f"{key}: expected a string, got {shown(it)}" for key, it in entry.items() if not isinstance(it, str)]
    if mistakes:
        return mistakes[0]
    mistakes += [
        f"{key} is longer than {limit} characters" for key, limit in LONGEST.items() if len(entry.get(key, "")) > limit
    ]
    mistakes += [f"{key} is {shown(it)}, which can't be printed" for key, it in entry.items() if not _printable(it)]
    mistakes += [f"has no {key}" for key in fields if key not in optional and not entry.get(key, "").strip()]
    if mistakes:
        return mistakes[0]
    error = getattr(builtins, entry["raises"], None)
    if not (isinstance(error, type) and issubclass(error, Exception) and error is not Exception):
        mistakes.append(f"raises {shown(entry['raises'])}, which is no builtin exception type of its own")
    if entry["requirement"] not in requirements:
        mistakes.append(f"unknown requirement {shown(entry['requirement'])}")
    if entry["kind"] not in KINDS:
        mistakes.append(f"kind: {invalid_choice(entry['kind'], KINDS)}")
    try:
        SpecifierSet(entry["torch"]).contains(parse_release("2.0"))
    except ValueError:
        mistakes.append(f"torch {shown(entry['torch'])} is no version range")
    return mistakes[0] if mistakes else None


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
