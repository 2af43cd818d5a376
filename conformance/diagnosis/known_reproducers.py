"""Reproducers of known bugs: scripts in fixtures/reproducers/ that need torch alone.

A script exits with 1 where the defect shows, with 0 where it does not, and with 2 where it can't tell. Its docstring
is the issue: the title, a paragraph "Expected: ..." and a paragraph "Observed: ...".
"""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from conformance.diagnosis.run_script import CANNOT_TELL, MARK, NO_TORCH
from conformance.spec.expectations import DEFAULT, read
from conformance.spec.locations import FIXTURES
from conformance.utils.suggestions import did_you_mean
from conformance.utils.text import text_of

FOLDER = FIXTURES / "reproducers"
RUNNER = Path(__file__).with_name("run_script.py")
SHOWN, NOT_SHOWN = 1, 0  # exit codes of a script, beside CANNOT_TELL
TIMEOUT = 120.0  # seconds for one script; the import of torch takes a few of them
MAX_OUTPUT = 20_000  # bytes of what a script prints that are kept
ISSUE = re.compile(r"(.+?)\n\nExpected: (.+?)\nObserved: (.+)", re.DOTALL)


class NoTorchError(Exception):
    """torch does not import; the message says why."""


@dataclass(frozen=True)
class Reproducer:
    """A script: its name, its source, and from its docstring the title and the sentences of an issue."""

    name: str
    source: str
    title: str
    expected: str
    observed: str


@dataclass(frozen=True)
class ScriptRun:
    """The outcome of a script: SHOWN, NOT_SHOWN or CANNOT_TELL, its output, and the environment by name."""

    code: int
    printed: str
    environment: Mapping[str, str]


def reproducer_paths() -> dict[str, Path]:
    """Return the scripts by name, in alphabetical order."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.py"))}


def read_reproducer(path: Path) -> Reproducer:
    """Return what a script says about itself. Raises ValueError where its docstring is no issue."""
    source = path.read_text(encoding="utf-8")
    issue = ISSUE.fullmatch((ast.get_docstring(ast.parse(source)) or "").strip())
    if issue is None:
        raise ValueError(f"{path.name}: expected a docstring of a title, 'Expected: ...' and 'Observed: ...'")
    title, expected, observed = (" ".join(text.split()) for text in issue.groups())
    return Reproducer(path.stem, source, title, expected, observed)


def reproducers_of_requirements() -> dict[str, list[str]]:
    """Return the names of the reproducers of each requirement with a known failure, without repetition."""
    found: dict[str, dict[str, None]] = {}
    for entry in read(DEFAULT).get("expectation", []):
        names = found.setdefault(entry["requirement"], {})
        names.update({entry["reproducer"]: None} if "reproducer" in entry else {})
    return {requirement: list(names) for requirement, names in found.items()}


def find_reproducer(name: str) -> Path:
    """Return the script of this name, or the one script of a requirement. Raises ValueError that says what is known."""
    paths = reproducer_paths()
    if name in paths:
        return paths[name]
    requirements = reproducers_of_requirements()
    match requirements.get(name):
        case [only]:
            return paths[only]
        case [_, *_] as several:
            raise ValueError(f"{name} has {len(several)} reproducers: {', '.join(several)}")
        case []:
            raise ValueError(f"{name} has no reproducer")
    known = [*paths, *(each for each, names in requirements.items() if names)]
    raise ValueError(f"invalid choice {name!r}{did_you_mean(name, known)} (without ID the known ones are listed)")


def run_reproducer(path: Path, timeout: float = TIMEOUT) -> ScriptRun:
    """Run a script in a process of its own and return what it showed. Raises NoTorchError.

    A script that takes longer than `timeout` seconds, or whose process ends in another way than by one of its three
    exit codes, can't tell.
    """
    with tempfile.TemporaryFile() as file:
        code = _wait(_start(path, file), timeout)
        file.seek(0)
        printed = text_of(file.read(MAX_OUTPUT).decode("utf-8", errors="replace"), MAX_OUTPUT)
    before, mark, after = printed.partition(MARK)
    if not mark:  # it comes right after the import of torch
        raise NoTorchError(before.strip() if code == NO_TORCH else _describe_end(code, timeout))
    environment, _, printed = after.partition("\n")
    facts = MappingProxyType(json.loads(environment))
    if code in (SHOWN, NOT_SHOWN, CANNOT_TELL):
        return ScriptRun(code, printed, facts)
    return ScriptRun(CANNOT_TELL, f"{printed}{_describe_end(code, timeout)}\n", facts)


def _start(path: Path, output: IO[bytes]) -> "subprocess.Popen[bytes]":
    # -P: a file torch.py in the caller's folder is not meant. Warnings are no part of what a script shows.
    command = [sys.executable, "-P", "-W", "ignore", str(RUNNER), str(path)]
    return subprocess.Popen(  # noqa: S603 - this Python
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )


def _wait(process: "subprocess.Popen[bytes]", timeout: float) -> int | None:
    """Return the exit code, or None after `timeout` seconds; end the process and what it started."""
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # A script may have started a process of its own, in this group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _describe_end(code: int | None, timeout: float) -> str:
    if code is None:
        return f"its process did not end within {timeout:g} seconds"
    if code < 0:
        return f"its process ended with {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"
