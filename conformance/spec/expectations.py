"""Loads and matches known failures: one file for all releases, devices and implementations.

The file is data from outside: parsed strictly, never evaluated. An entry excuses a test only if everything that it
names matches, and the test must then fail, with that error.
"""

import builtins
import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from conformance.spec.locations import FIXTURES
from conformance.utils.suggestions import did_you_mean, invalid_choice

KINDS = ("bug", "limitation")
DEFAULT = FIXTURES / "expectations.toml"
MOST_BYTES = 1_000_000
MOST_OF_A_LINE = 500  # characters: a dotted key costs tomllib the square of its length


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
        return requirement == self.requirement and fnmatchcase(test.replace("[", "("), self.test.replace("[", "("))


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
        raise ValueError(f"{path}: expected [[expectation]] tables and nothing else, found {sorted(content)}")
    return parsed(path, entries, requirements)


def read(path: Path) -> dict[str, Any]:
    """Return the content of the TOML file."""
    try:
        with path.open("rb") as file:
            return tomllib.loads(_text(file.read(MOST_BYTES + 1)))
    except RecursionError as error:
        raise ValueError(f"{path}: is nested too deeply") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _text(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES} bytes")
    text = data.decode()
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MOST_OF_A_LINE:
            raise ValueError(f"line {number} is longer than {MOST_OF_A_LINE} characters")
    return text


def parsed(path: Path, entries: Any, requirements: Collection[str]) -> list[Expectation]:
    """The file's [[expectation]] tables; ValueError as from `load`."""
    if not isinstance(entries, list):
        raise ValueError(f"{path}: expected [[expectation]] tables, found {entries!r}")  # noqa: TRY004 - a mistake in a file
    loaded: dict[Expectation, None] = {}
    for number, entry in enumerate(entries, start=1):
        mistake = _mistake(entry, requirements)
        if mistake:
            raise ValueError(f"{path}: expectation {number}: {mistake}")
        expectation = Expectation(**entry)
        if expectation in loaded:
            raise ValueError(f"{path}: expectation {number}: stands twice")
        loaded[expectation] = None
    return list(loaded)


def _mistake(entry: Any, requirements: Collection[str]) -> str | None:
    """Return the mistake in one entry as a sentence, or None."""
    if not isinstance(entry, dict):
        return "is no table"
    fields = Expectation.__dataclass_fields__
    optional = {"test", "device", "url"}
    mistakes = [f"unknown key {key!r}{did_you_mean(key, fields)}" for key in entry if key not in fields]
    mistakes += [
        f"{key}: expected a string, got {value!r}" for key, value in entry.items() if not isinstance(value, str)
    ]
    mistakes += [f"{key} is {value!r}, which can't be printed" for key, value in entry.items() if not _printable(value)]
    mistakes += [f"has no {key}" for key in fields if key not in optional and not str(entry.get(key, "")).strip()]
    if mistakes:
        return mistakes[0]
    error = getattr(builtins, entry["raises"], None)
    if not (isinstance(error, type) and issubclass(error, Exception) and error is not Exception):
        mistakes.append(f"raises {entry['raises']!r}, which is no builtin exception type of its own")
    if entry["requirement"] not in requirements:
        mistakes.append(f"unknown requirement {entry['requirement']!r}")
    if entry["kind"] not in KINDS:
        mistakes.append(f"kind: {invalid_choice(entry['kind'], KINDS)}")
    try:
        SpecifierSet(entry["torch"]).contains(parse_release("2.0"))
    except ValueError:
        mistakes.append(f"torch {entry['torch']!r} is no version range")
    return mistakes[0] if mistakes else None


def _printable(value: Any) -> bool:
    """Lines may be broken; nothing else may tell a terminal what to do."""
    return all(line.isprintable() for line in str(value).split("\n"))
