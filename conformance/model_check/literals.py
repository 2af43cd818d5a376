"""Parsing of ``--args`` and ``--kwargs``: literals of Python or JSON, never evaluated."""

import ast
import json
from typing import Any

from conformance.model_check.options import UsageError

LONGEST = 10**5  # characters of a literal


def parse_args(text: str) -> list[Any]:
    """Return the list or tuple that `text` is as a list. Raises UsageError."""
    value = _parse("--args", text)
    if not isinstance(value, list | tuple):
        raise UsageError(f"--args: expected a list such as '[3, 2]', got {text}")
    return list(value)


def parse_kwargs(text: str) -> dict[str, Any]:
    """Return the dict that `text` is, with names as keys. Raises UsageError."""
    value = _parse("--kwargs", text)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"""--kwargs: expected a dict with names such as '{{"width": 8}}', got {text}""")
    return value


def _parse(option: str, text: str) -> Any:
    for parse in (ast.literal_eval, json.loads):
        try:
            if len(text) <= LONGEST:
                return parse(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
    raise UsageError(f"{option}: invalid value {text[:100]!r} (expected a literal of Python or JSON)")
