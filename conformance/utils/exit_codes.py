"""The exit codes of all verbs."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended; pytest's own codes end at 5. docs/reference/exit-codes.md describes each."""

    OK = 0
    NEGATIVE = 1
    INTERRUPTED = 2
    INTERNAL_ERROR = 3
    USAGE_ERROR = 4
    NO_TESTS = 5
    CANNOT_ANSWER = 8
    CANNOT_WRITE = 9
