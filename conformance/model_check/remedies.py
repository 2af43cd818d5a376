"""Suggested fixes: the rows of remedies.toml that match the results of checks."""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("remedies.toml")
BAD = ("wrong", "refused", "refused unclearly", "crash")


@dataclass(frozen=True)
class Remedy:
    """A suggested fix; remedies.toml explains the fields."""

    name: str
    advice: str
    checks: Sequence[str] = ("*",)
    statuses: Sequence[str] = BAD
    said: str = ""
    holds: Sequence[str] = ("*",)

    def fits(self, check: str, status: str, message: str, held: Iterable[str]) -> bool:
        """Return True if the fix applies to a result of a check, for a model with the features `held`."""
        return (
            status in self.statuses
            and any(fnmatchcase(check, pattern) for pattern in self.checks)
            and re.search(self.said, message) is not None
            and any(fnmatchcase(each, pattern) for each in held for pattern in self.holds)
        )


@cache
def load_remedies() -> tuple[Remedy, ...]:
    """Return all suggested fixes, in the order of the file."""
    return tuple(Remedy(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["remedy"])
