"""The output of all verbs: what it quotes is made printable, and a stream that takes no more is told in one line."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from conformance.utils.files import error_reason
from conformance.utils.text import escape_unprintable


class OutputError(Exception):
    """Standard output can't be written to; the message says why."""


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to standard output. Raises OutputError; a reader that went away, such as `head`, is no error."""
    for line in lines:
        print_text(f"{escape_unprintable(line)}\n")


def print_text(text: str) -> None:
    """Print a piece of text, which must be printable, and show it at once. Raises OutputError."""
    if sys.stdout is None:
        raise OutputError("can't write to standard output: it is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard()
    except (OSError, ValueError) as error:
        _discard()
        raise OutputError(f"can't write to standard output: {_reason(error)}") from error


def print_error(message: str) -> None:
    """Print ``ERROR: message`` on one line of standard error, if there is one."""
    line = f"ERROR: {escape_unprintable(' '.join(message.split()))}\n"
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return


def _reason(error: Exception) -> str:
    return error_reason(error) if isinstance(error, OSError) else str(error)


def _discard() -> None:
    """Send to nowhere what is still in the buffer: Python writes it at exit, and would fail again."""
    with suppress(OSError, ValueError):  # there may be no descriptor, or no more of them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _TolerantStream:
    """A stream of text that drops what it can't write, and remembers why."""

    def __init__(self, stream: Any, lost: list[Exception]) -> None:
        self._stream = stream
        self._lost = lost

    def write(self, text: str) -> int:
        with self._tolerance():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._tolerance():
            self._stream.flush()

    @contextmanager
    def _tolerance(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self._lost.append(error)
            _discard()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def tolerate_lost_output() -> Iterator[list[Exception]]:
    """Let nothing that runs in the body fail because standard output takes no more; it is told in one line at the end.

    Yields the list of errors, in which a reader that went away does not count.
    """
    before = sys.stdout
    lost: list[Exception] = [OSError("it is closed")] if before is None else []
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        sys.stdout = cast("TextIO", _TolerantStream(before or nowhere, lost))
        try:
            yield lost
        finally:
            sys.stdout.flush()
            sys.stdout = before
            lost[:] = [error for error in lost if not isinstance(error, BrokenPipeError)]
            if lost:
                print_error(f"can't write to standard output: {_reason(lost[0])}")
