"""The index: names and facts that otherwise only an import of torch, or reading all recorded results, would tell.

``python fixtures/generate/index.py`` writes its file, and a test compares the file with what it was made from.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from conformance.spec.locations import FIXTURES

FILE = FIXTURES / "index.json"


@dataclass(frozen=True)
class Index:
    """The content of the file.

    `faults`: by name, the requirement that each breaks (`breaks`) and what it does (`text`). `cases`: names by kind.
    `implementations`: by name, its `text`, and whether a run judges it by `default`. `releases`: by recorded release,
    oldest first, its `torch`, the `sha256` of its result file, and `counts` of requirements by status, each
    implementation's apart. `history`: by requirement and implementation, the status in each recorded release.
    """

    faults: Mapping[str, Mapping[str, str]]
    cases: Mapping[str, Sequence[str]]
    implementations: Mapping[str, Mapping[str, Any]]
    releases: Mapping[str, Mapping[str, Any]]
    history: Mapping[str, Mapping[str, Sequence[str]]]


@cache
def load_index() -> Index:
    """Return the index."""
    return Index(**json.loads(FILE.read_text(encoding="utf-8")))
