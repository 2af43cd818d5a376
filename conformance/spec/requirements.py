"""Loads the requirements. Their wording lives in spec/*.toml, one file a chapter, and nowhere else."""

import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from conformance import __version__
from conformance.utils.suggestions import did_you_mean, invalid_choice

SPEC = Path(__file__).parent
LEVELS = ("must", "should", "limitation")
# The chapters in the order in which a reader meets them; a file of spec/ that is missing here is an error.
CHAPTERS = (
    "forward",
    "stacking",
    "calling",
    "in_dims",
    "out_dims",
    "chunking",
    "nesting",
    "errors",
    "gradients",
    "training",
    "randomness",
    "determinism",
    "inplace",
    "purity",
    "parity",
    "compiled",
    "modules",
)


@dataclass(frozen=True, eq=False)
class Requirement:
    """One sentence that an implementation is held to.

    `level`: must, should, or limitation (what is known not to work, and how it has to show).
    `core`: part of the must-pass minimum for a new device.
    `needs`: what it is about and not everybody has: parts of an implementation, such as functional_call, and of torch,
    with their full names, such as torch.amp.GradScaler.
    `since`: the first release of torch that it is asked of, with the reason; a chapter may say it once, for all.
    `only` and `not_for`: names of implementations that it is, or is not, about, with the reason; in `not_for` also a
    pattern, such as ``compiled*``.
    `added`: the version of the suite that added it; a chapter may say it once, for all.
    """

    id: str
    level: str
    text: str
    source: str
    core: bool = False
    needs: tuple[str, ...] = ()
    since: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)
    not_for: Mapping[str, str] = field(default_factory=dict)
    added: str = ""

    @property
    def chapter(self) -> str:
        return self.id.partition(".")[0]

    def not_about(self, implementation: Any) -> str | None:
        """Return the reason why it does not apply to this implementation, or None if it does."""
        name = implementation.name
        for pattern, reason in self.not_for.items():
            if fnmatchcase(name, pattern):
                return reason
        if self.only and name not in self.only:
            return "; ".join(f"only for {other}: {reason}" for other, reason in self.only.items())
        for need in self.needs:
            owner, _, part = need.rpartition(".")
            if not callable(getattr(importlib.import_module(owner) if owner else implementation, part, None)):
                return f"this torch has no {need}" if owner else f"{name} has no {need}"
        for release, reason in self.since.items():
            # What will be that release counts as it.
            if Version(importlib.import_module("torch").__version__).release < Version(release).release:
                return f"before torch {release} {reason}"
        return None


@cache
def load_requirements(folder: Path = SPEC) -> Mapping[str, Requirement]:
    """All requirements by id, chapter by chapter. Raises ValueError with one line that names file and mistake."""
    files = {path.stem: path for path in folder.glob("*.toml")}
    if files.keys() != set(CHAPTERS):
        raise ValueError(f"spec/: the files {sorted(files)} are not the chapters {sorted(CHAPTERS)}")
    return {each.id: each for chapter in CHAPTERS for each in _chapter(files[chapter])}


def _chapter(path: Path) -> list[Requirement]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        usual = {"since": entries.pop("since", {}), "added": entries.pop("added", "")}
        return [_requirement(f"{path.stem}.{name}", {**usual, **entry}) for name, entry in entries.items()]
    except (AttributeError, TypeError, ValueError) as error:
        # Two requirements of one id are two tables of one name, which TOML itself refuses.
        raise ValueError(f"spec/{path.name}: {error}") from error


def _requirement(identifier: str, entry: Any) -> Requirement:
    unknown = entry.keys() - Requirement.__dataclass_fields__.keys() | entry.keys() & {"id"}
    if unknown:
        name = min(unknown)
        raise ValueError(f"{identifier}: unknown key {name!r}{did_you_mean(name, Requirement.__dataclass_fields__)}")
    for key in ("text", "source"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise ValueError(f"{identifier} has no {key}")
    if entry.get("level") not in LEVELS:
        raise ValueError(f"{identifier}: level: {invalid_choice(str(entry.get('level')), LEVELS)}")
    for key, each in (("only", "implementation"), ("not_for", "implementation"), ("since", "release")):
        if not all(isinstance(reason, str) and reason for reason in entry.get(key, {}).values()):
            raise ValueError(f"{identifier}: {key} needs a reason for each {each}")
    _check_added(identifier, entry["added"])
    return Requirement(identifier, **{**entry, "needs": tuple(entry.get("needs", ()))})


def _check_added(identifier: str, added: Any) -> None:
    try:
        version = Version(added)
    except (InvalidVersion, TypeError):
        raise ValueError(f"{identifier}: added: expected a version of the suite, got {added!r}") from None
    if version > Version(__version__):
        raise ValueError(f"{identifier}: added: {added} is above the suite's own version, {__version__}")
