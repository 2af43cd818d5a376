"""Which line of a traceback is somebody's own code: not torch's, not ours and not Python's."""

import sysconfig
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

Frame = tuple[str, int]
_STANDARD, _SITE = (Path(sysconfig.get_paths()[each]) for each in ("stdlib", "purelib"))


def user_code_line(frames: Sequence[Frame]) -> str | None:
    """The innermost of somebody's own lines as file:line: code, or of a third one's library where none is his."""
    files = [(Path(name), line) for name, line in frames]
    theirs = [(name, line) for name, line in files if name.is_file() and not _is_library_file(name)]
    own = [(name, line) for name, line in theirs if _SITE not in name.parents]
    if not theirs:
        return None
    name, line = (own or theirs)[-1]
    text = name.read_text(encoding="utf-8", errors="replace").splitlines()[line - 1].strip()
    return f"{name}:{line}: {text}"


@cache
def _library_folders() -> list[Path]:
    """Where torch and this package lie, found without importing torch, which takes seconds."""
    specs = [find_spec(name) for name in ("torch", "conformance")]
    return [Path(spec.origin).parent for spec in specs if spec and spec.origin]


def _is_library_file(path: Path) -> bool:
    standard = _STANDARD in path.parents and _SITE not in path.parents
    return standard or any(folder in path.parents for folder in _library_folders())
