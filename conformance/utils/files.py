"""Files that users name: only regular files are read whole and replaced; nothing waits for the other end of a pipe."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

MODE = 0o644


def read_regular(path: Path, limit: int) -> bytes:
    """Return the content of a regular file, at most `limit` bytes and one. Raises OSError."""
    # Opening a pipe would wait for its writer without O_NONBLOCK, which regular files ignore.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("is not a regular file")
        return file.read(limit + 1)


def is_stream(path: Path) -> bool:
    """Return whether the path leads to a device or a pipe, such as /dev/null or /dev/stdout."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)


def write_problem(path: Path) -> str | None:
    """Return the reason why `write_file` would refuse the path, or None. The disk may still be full."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return None if path.absolute().parent.is_dir() else "its folder does not exist"
    except OSError as error:
        return error_reason(error)
    if stat.S_ISLNK(kind) and not is_stream(path):
        return "is a symbolic link"
    if stat.S_ISREG(kind) or is_stream(path):
        return None
    return "is not a regular file"


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to the path: a regular file is replaced as a whole, and a device or a pipe is written to.

    A reader never sees an incomplete file, and an earlier one stays as it was if this one can't be written. Raises
    OSError, also for a symbolic link to a file: its target may not be meant.
    """
    problem = write_problem(path)
    if problem:
        raise OSError(problem)
    if is_stream(path):
        _write_stream(path, data)
    else:
        _replace(path, data)


def error_reason(error: OSError) -> str:
    """Return what went wrong, without the path."""
    return error.strerror or str(error)


def _write_stream(path: Path, data: bytes) -> None:
    # A pipe without a reader is an error at once; once open, a slow reader is waited for.
    handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _replace(path: Path, data: bytes) -> None:
    handle, scratch = tempfile.mkstemp(dir=path.absolute().parent, prefix=".conformance-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(scratch).chmod(MODE)
        Path(scratch).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(scratch).unlink()
        raise
