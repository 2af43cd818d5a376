"""Text of foreign origin, made safe: what an exception, a device, a model or a file says is stored and shown.

Foreign code may answer `str()` with an exception, with megabytes, with half a character or with commands to a terminal.
"""

from typing import Any

LIMIT = 10_000  # characters of one text; a longer one loses its middle
WIDTH = 120  # characters of a line on the terminal
KEPT = "\n\t"  # what several lines of text may hold beside printable characters


def text_of(value: Any, limit: int = LIMIT) -> str:
    """Return `str(value)`: printable lines in valid UTF-8, with at most about `limit` characters. Never raises."""
    try:
        # An instance of a subclass of str would bring methods of its own.
        said = str.__str__(str(value))
    except BaseException as error:  # noqa: BLE001 - foreign code may raise anything, and what it says is all that is lost
        said = f"<str() of {type_name(value)} raises {type_name(error)}>"
    return escape_unprintable(_shorten(said, limit), KEPT)


def describe_error(error: BaseException) -> str:
    """Return ``Type: message``."""
    return f"{type_name(error)}: {text_of(error)}"


def observed_message(error: BaseException) -> str:
    """Return what a failed test is known by, on one line: ``Type: message``, or an AssertionError's message alone.

    Without a message it is the type.
    """
    said = " ".join(text_of(error).split())
    kind = type_name(error)
    if not said:
        return kind
    return said if kind == "AssertionError" else f"{kind}: {said}"


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or the name of its type where there is no message."""
    return next(iter(text_of(error).strip().splitlines()), "") or type_name(error)


def type_name(value: Any) -> str:
    """Return the name of a class, or of an instance's class."""
    kind = value if isinstance(value, type) else type(value)
    # A metaclass may answer anything to `__name__`; type itself knows.
    return escape_unprintable(_shorten(type.__dict__["__name__"].__get__(kind), LIMIT))


def one_line(line: str, width: int = WIDTH) -> str:
    """Return `line` on one line, with at most `width` characters and without control characters."""
    flat = escape_unprintable(" ".join(line.split()))
    return flat if len(flat) <= width else flat[: width - 3] + "..."


def escape_unprintable(text: str, kept: str = "") -> str:
    """Return `text` with unprintable characters escaped, except for those in `kept`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in kept else ascii(each)[1:-1] for each in text)


def _shorten(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [{len(text) - 2 * half} more characters] {text[-half:]}"
