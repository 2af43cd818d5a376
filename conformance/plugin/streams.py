"""Standard output and error during a test: what is judged may close or replace them, and pytest needs them after it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class _OpenStream:
    """A stream that stays open."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def close(self) -> None:
        """Close nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep the two streams open through the body, and put them back after it."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _OpenStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
