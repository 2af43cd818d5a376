"""Messages of a child process: lines of JSON, which other text in the same pipe neither spoils nor imitates."""

import json
from typing import Any

# Kinds of message: an item of the generator, its exception, its end, the end of the interpreter, a line of output.
ITEM, ERROR, DONE, GOODBYE, PRINTED = "item", "error", "done", "goodbye", "printed"
Message = tuple[str, Any]
# Kept from before the model is imported, which may replace it.
_dumps = json.JSONEncoder().encode


def encode(secret: str, kind: str, value: Any) -> bytes:
    """Return the bytes of a message. Raises TypeError or ValueError if the value is not JSON data."""
    # The first newline ends what someone else may have begun.
    return f"\n{_dumps([secret, kind, value])}\n".encode("ascii")


def decode(secret: str, line: bytes) -> Message | None:
    """Return the message in a line, or None if the line is none."""
    if not line.startswith(f'["{secret}", '.encode("ascii")):
        return None
    try:
        _, kind, value = json.loads(line)
    except (ValueError, RecursionError):  # someone else wrote into the middle of it
        return None
    return kind, value


class LineReader:
    """Splitter of bytes into lines. A line with more than `limit` bytes is thrown away as it arrives."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that end in `data`, without their newlines."""
        first, *others = data.split(b"\n")
        lines = []
        self._keep(first)
        for part in others:
            if not self._overlong:
                lines.append(bytes(self._rest))
            self._rest.clear()
            self._overlong = False
            self._keep(part)
        return lines

    def _keep(self, part: bytes) -> None:
        self._overlong = self._overlong or len(self._rest) + len(part) > self._limit
        if self._overlong:
            self._rest.clear()
        else:
            self._rest += part
