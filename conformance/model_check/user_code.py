"""The line of user code in a traceback: outside of torch, this package and the standard library."""

import sysconfig
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from conformance.utils.files import read_regular
from conformance.utils.text import one_line

Frame = tuple[str, int]
LARGEST = 10**7  # bytes of a source file that are read
LONGEST = 200  # characters of a line that is shown
_STANDARD, _SITE = (Path(sysconfig.get_paths()[each]) for each in ("stdlib", "purelib"))


def user_code_line(frames: Sequence[Frame]) -> str | None:
    """Return the innermost line of user code as file:line: code; a third-party library's if there is none, or None."""
    files = [(Path(name), line) for name, line in frames]
    theirs = [(name, line) for name, line in files if _is_readable(name) and not _is_library_file(name)]
    own = [(name, line) for name, line in theirs if _SITE not in name.parents]
    if not theirs:
        return None
    name, line = (own or theirs)[-1]
    try:
        lines = read_regular(name, LARGEST).decode("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    # Code may claim any file and line, and the file may have changed.
    return one_line(f"{name}:{line}: {''.join(lines[line - 1 : line])}", LONGEST)


def _is_readable(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long
        return False


@cache
def _library_folders() -> list[Path]:
    """Return the folders of torch and this package, without the slow import of torch."""
    specs = [find_spec(name) for name in ("torch", "conformance")]
    return [Path(spec.origin).parent for spec in specs if spec and spec.origin]


def _is_library_file(path: Path) -> bool:
    standard = _STANDARD in path.parents and _SITE not in path.parents
    return standard or any(folder in path.parents for folder in _library_folders())
