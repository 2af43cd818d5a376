"""Caveats: wrong results that torch gives to everybody, as rows of caveats.toml.

`known_failures` finds out which apply.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from conformance.spec.locations import FIXTURES

TABLE = Path(__file__).with_name("caveats.toml")


@dataclass(frozen=True)
class Caveat:
    """A known failure that a check may show; caveats.toml explains the fields."""

    id: str
    checks: Sequence[str]
    said: str
    without: str
    text: str

    def fits(self, check: str, message: str) -> bool:
        """Return True if a WRONG with this message may be the known failure."""
        return any(fnmatchcase(check, each) for each in self.checks) and re.search(self.said, message) is not None


@cache
def load_caveats() -> tuple[Caveat, ...]:
    """Return all caveats, in the order of the file."""
    return tuple(Caveat(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["caveat"])


def known_failure_ids() -> list[str]:
    """Return the ids of all known failures of torch that have a reproducer."""
    return sorted(path.stem for path in (FIXTURES / "reproducers").glob("*.py"))


def caveat_text(name: str | None, otherwise: str) -> str:
    """Return what a caveat says about a known failure, or another text if there is none of this id."""
    return next((each.text for each in load_caveats() if each.id == name), otherwise)
