"""The output of all verbs: what it quotes is made printable, and a stream that takes no more is told in one line."""

import os
import sys
from collections.abc import Iterable

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
        reason = error_reason(error) if isinstance(error, OSError) else str(error)
        raise OutputError(f"can't write to standard output: {reason}") from error


def print_error(message: str) -> None:
    """Print ``ERROR: message`` on one line of standard error, if there is one."""
    line = f"ERROR: {escape_unprintable(' '.join(message.split()))}\n"
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        return


def _discard() -> None:
    """Send to nowhere what is still in the buffer: Python writes it at exit, and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
