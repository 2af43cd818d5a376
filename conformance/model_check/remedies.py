"""The ways out: which of remedies.toml fit what the checks said."""

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
    """A row of remedies.toml, where the fields are explained."""

    name: str
    advice: str
    checks: Sequence[str] = ("*",)
    statuses: Sequence[str] = BAD
    said: str = ""
    holds: Sequence[str] = ("*",)

    def fits(self, check: str, status: str, message: str, held: Iterable[str]) -> bool:
        """Is it for a check that ended like this, of a model that holds these?"""
        return (
            status in self.statuses
            and any(fnmatchcase(check, pattern) for pattern in self.checks)
            and re.search(self.said, message) is not None
            and any(fnmatchcase(each, pattern) for each in held for pattern in self.holds)
        )


@cache
def load_remedies() -> tuple[Remedy, ...]:
    """All remedies, in the order of the file."""
    return tuple(Remedy(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["remedy"])
