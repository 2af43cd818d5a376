"""The index of faults, cases, implementations and history, which takes an import of torch, or seconds, to gather.

`fixtures/write_index.py` writes it, and a test of the suite holds it to what it is made from.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from conformance.spec.locations import FIXTURES

INDEX = FIXTURES / "index.json"


@dataclass(frozen=True)
class Index:
    """Faults, cases, implementations and history.

    `faults`: by name, each with the requirement that it `breaks` and its `text`. `cases`: names by kind.
    `implementations`: by name, a `text`, and whether a run judges it by `default`. `releases`: by label, the `file` of
    each recorded one, its `sha256`, and the number of requirements by status, `statuses`, in which each counts once for
    each implementation. `history`: by requirement and implementation, the status in each of these releases, as tables
    show it, with " | " between them.
    """

    faults: Mapping[str, Mapping[str, str]]
    cases: Mapping[str, Sequence[str]]
    implementations: Mapping[str, Mapping[str, Any]]
    releases: Mapping[str, Mapping[str, Any]]
    history: Mapping[str, Mapping[str, str]]


@cache
def load_index() -> Index:
    """Return the index of this version of the suite."""
    content: dict[str, Any] = json.loads(INDEX.read_text(encoding="utf-8"))
    return Index(**content)
