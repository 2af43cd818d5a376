"""The identity of the suite: which version and commit of it, with which known failures, makes a result."""

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from conformance import __version__
from conformance.spec.expectations import MOST_BYTES
from conformance.spec.locations import HOME
from conformance.utils.files import read_regular

# What results depend on; a change to the documentation leaves a clone clean.
JUDGING = ("conformance", "tests", "fixtures", "pytest.toml")
COMMIT = re.compile(r"^# branch\.oid ([0-9a-f]{40,64})$", re.MULTILINE)
PATIENCE = 10  # seconds for git, which answers within milliseconds
NO_CLONE: tuple[str, bool | None] = ("", None)


def suite_identity(expectations: Path, home: Path = HOME) -> dict[str, Any]:
    """Return version, commit, whether the clone has no changes, and the hash of the file of known failures.

    The commit is empty and `clean` is None for an installed suite, and where git does not answer. Never raises.
    """
    commit, clean = _state_of_clone(home)
    return {"version": __version__, "commit": commit, "clean": clean, "expectations": _file_hash(expectations)}


@cache
def _state_of_clone(home: Path) -> tuple[str, bool | None]:
    # A folder above may be another project's clone, which has an environment with this package in it.
    if not (home / ".git").exists():
        return NO_CLONE
    # Variables such as GIT_DIR, which hooks of git set, would lead to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = [
        "git",
        "-C",
        str(home),
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=normal",
        "--",
        *JUDGING,
    ]
    try:
        said = subprocess.run(  # noqa: S603 - fixed arguments
            command,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return NO_CLONE
    commit = COMMIT.search(said)
    return (commit[1], all(line.startswith("#") for line in said.splitlines())) if commit else NO_CLONE


def _file_hash(path: Path) -> str:
    try:
        return hashlib.sha256(read_regular(path, MOST_BYTES)).hexdigest()
    except OSError:
        return ""


def suite_text(suite: Mapping[str, Any] | None) -> str:
    """Return a suite's identity as text; a result file before schema 4 has none."""
    if suite is None:
        return "unknown"
    changed = " with changes" * (suite["clean"] is False)
    return suite["version"] + (f" at {suite['commit'][:12]}{changed}" if suite["commit"] else "")
