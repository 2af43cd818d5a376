"""The journal of a run: one JSON line for the options, for each test that starts, and for each finding.

The file lies beside the result file during a run. It is removed at the end; only a process that dies leaves it behind.
``conformance recover conformance-result.json`` prints a summary of it.
"""

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import IO, Any

from conformance.report.results import Finding
from conformance.utils.files import MODE, error_reason, is_stream

try:
    import fcntl
except ImportError:  # no such locks on Windows, where an open file can't be removed anyway
    fcntl = None  # type: ignore[assignment]


class Journal:
    """A writer of the journal. Each line is flushed at once, so that it survives a crash.

    `problem`: the reason why no more lines can be written, such as a full disk; the run goes on without them.
    """

    def __init__(self, result: Path, options: Mapping[str, Any]) -> None:
        self.result = result
        self.options = options
        self.path: Path | None = None
        self.problem: str | None = None
        self._file: IO[str] | None = None

    def open(self) -> None:
        """Create the file and lock it. Raises OSError.

        A run that writes the same result at the same time keeps its own journal, and this one takes the next name. A
        result that goes to a device or a pipe has no journal: there is no place beside it.
        """
        if is_stream(self.result):
            return
        numbers = chain([""], (f".{number}" for number in count(2)))
        names = (self.result.with_name(f"{self.result.name}{number}.partial") for number in numbers)
        self.path, self._file = next(filter(None, map(_create, names)))
        with suppress(OSError):
            if stat.S_ISREG(os.lstat(self.result).st_mode):
                # If this run dies, the result of an earlier one must not be mistaken for its result.
                self.result.unlink()
        self._write({"options": self.options})

    def record_start(self, test: str) -> None:
        """Record that a test starts."""
        self._write({"began": test})

    def record_finding(self, test: str, finding: Finding) -> None:
        """Record the finding of a test."""
        self._write({"test": test, **asdict(finding)})

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None or self.problem is not None:
            return
        try:
            self._file.write(f"{json.dumps(line)}\n")
        except OSError as error:
            self.problem = error_reason(error)

    def end(self) -> None:
        """Close and remove the journal, as the run has ended and writes its result file."""
        if self._file is not None and self.path is not None:
            with suppress(OSError):
                self._file.close()
            self.path.unlink(missing_ok=True)
            self._file = None


def _create(path: Path) -> tuple[Path, IO[str]] | None:
    """Create and lock the file; None if another run has it. What a run that died left behind is replaced."""
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
        except FileExistsError:
            if not _is_left_behind(path):
                return None
            path.unlink(missing_ok=True)
        else:
            _lock(handle)
            return path, os.fdopen(handle, "w", encoding="utf-8", buffering=1)


def _is_left_behind(path: Path) -> bool:
    """Return whether the journal is of a run that died. Raises OSError for anything but a file, such as a link."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(f"{path.name} is not a regular file")
    with path.open("rb") as file:
        return _lock(file.fileno())


def _lock(handle: int) -> bool:
    """Lock the open file, and return whether that was possible; a lock ends with its process."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
