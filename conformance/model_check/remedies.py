"""Suggested fixes: the rows of remedies.toml that match the results of checks, one fix for each cause."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("remedies.toml")
BAD = ("wrong", "refused", "refused unclearly", "crash")
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Remedy:
    """A suggested fix; remedies.toml explains the fields."""

    name: str
    advice: str
    checks: Sequence[str] = ("*",)
    statuses: Sequence[str] = BAD
    said: str = ""
    operation: str = ""
    module: str = ""
    source: str = ""
    holds: Sequence[str] = ("*",)
    needs_right: Sequence[str] = ()
    if_right: Mapping[str, str] = field(default_factory=dict)

    def fits(self, check: str, result: Result, held: Sequence[str]) -> bool:
        """Return True if the fix applies to a result of a check, for a model with the features `held`."""
        wanted = {"message": self.said, "operation": self.operation, "module": self.module, "source": self.source}
        return (
            self._asked_about(check, result)
            and all(re.search(pattern, result.get(key) or "") for key, pattern in wanted.items())
            and any(fnmatchcase(each, pattern) for each in held for pattern in self.holds)
        )

    def shares_cause(self, check: str, result: Result, fitting: Result) -> bool:
        """Return True if a result has the same cause as one that the fix applies to: the same place in the model."""
        place = "source" if fitting.get("source") else "module"
        known = result.get(place) is not None and result.get(place) == fitting.get(place)
        return known and self._asked_about(check, result)

    def text(self, right: Collection[str]) -> str:
        """Return the advice, with the sentences of `if_right` for the checks that are right."""
        return " ".join([self.advice, *(words for check, words in self.if_right.items() if check in right)])

    def _asked_about(self, check: str, result: Result) -> bool:
        return result["status"] in self.statuses and any(fnmatchcase(check, pattern) for pattern in self.checks)


def suggest_fixes(results: Mapping[str, Result], held: Sequence[str]) -> list[dict[str, Any]]:
    """Return the suggested fixes: name, advice, and the checks that each applies to.

    `results` are those of all steps, `held` the features of the model. A check gets the first fix that applies to it
    or to another check with the same cause, which torch may have worded differently.
    """
    rows: dict[str, dict[str, Any]] = {}
    left = dict(results)
    right = {name for name, result in results.items() if result["status"] == "right"}
    for remedy in load_remedies():
        names = list(_blocked(remedy, left, held)) if right.issuperset(remedy.needs_right) else []
        if names:
            row = {"name": remedy.name, "advice": remedy.text(right), "checks": []}
            rows.setdefault(remedy.name, row)["checks"] += names
        left = {name: result for name, result in left.items() if name not in names}
    return list(rows.values())


def _blocked(remedy: Remedy, results: Mapping[str, Result], held: Sequence[str]) -> Iterator[str]:
    fitting = [result for name, result in results.items() if remedy.fits(name, result, held)]
    for name, result in results.items():
        alike = any(remedy.shares_cause(name, result, each) for each in fitting if each["status"] in BAD)
        if remedy.fits(name, result, held) or alike:
            yield name


@cache
def load_remedies() -> tuple[Remedy, ...]:
    """Return all suggested fixes, in the order of the file."""
    return tuple(Remedy(**row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["remedy"])
