"""Files of tensors that users name, such as checkpoints: loaded as data, never by unpickling code."""

import glob
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeGuard

import torch
from torch import Tensor, nn

from conformance.model_check.options import UsageError
from conformance.utils.files import error_reason
from conformance.utils.text import describe_error, one_line

LARGEST = 2**34  # bytes of a file
SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
# The keys under which checkpoints hold a state dict, and what wrappers put in front of its names.
KEYS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "_orig_mod.")
SEVERAL = 200  # characters of a list of names
UNSAFE = re.compile(r"GLOBAL (\S+)")


def find_state_files(patterns: Sequence[str]) -> list[Path]:
    """Return the files that the patterns match, or those in the folders that they match. Raises UsageError."""
    found: list[Path] = []
    for pattern in patterns:
        paths = [Path(each) for each in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - absolute patterns
        files = [file for path in paths for file in (_files_in(path) if path.is_dir() else [path])]
        if not files:
            kinds = f" (a folder is searched for {', '.join(SUFFIXES)})" if paths else ""
            raise UsageError(f"--states {pattern}: no file matches{kinds}")
        found += files
    return list(dict.fromkeys(found))


def _files_in(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.suffix in SUFFIXES)


def load_file(path: Path, option: str) -> Any:
    """Return what `torch.save` wrote: tensors in plain containers. Raises UsageError, which names the file."""
    try:
        with _open_regular(path) as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error_reason(error)}") from error
    except Exception as error:
        raise UsageError(f"{option} {path}: {_load_problem(error)}") from error


def _open_regular(path: Path) -> IO[bytes]:
    # Opening a pipe would wait for its writer without O_NONBLOCK.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = os.fdopen(handle, "rb")
    facts = os.fstat(handle)
    problem = None if stat.S_ISREG(facts.st_mode) else "is not a regular file"
    problem = problem or (f"is larger than {LARGEST} bytes" if facts.st_size > LARGEST else None)
    if problem:
        file.close()
        raise OSError(problem)
    return file


def _load_problem(error: Exception) -> str:
    """Return torch's reason without its advice to load the file as code."""
    said = describe_error(error)
    unsafe = UNSAFE.search(said)
    if unsafe:
        return f"holds {unsafe[1].rstrip('.')}, and only tensors in plain containers are loaded: save a state dict"
    return f"is not a file of torch.save: {one_line(said)}"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Return the state dict that a file holds, by itself or in a checkpoint. Raises UsageError."""
    content = load_file(path, "--states")
    candidates = [content, *(content.get(key) for key in KEYS)] if isinstance(content, Mapping) else []
    for candidate in candidates:
        if _is_state_dict(candidate):
            return _without_prefix(dict(candidate))
    held = f"the keys {_join(map(str, content))}" if isinstance(content, Mapping) else f"a {type(content).__name__}"
    raise UsageError(f"--states {path}: expected a state dict, or one under {', '.join(KEYS)}; it holds {held}")


def _is_state_dict(value: Any) -> TypeGuard[Mapping[str, Tensor]]:
    return (
        isinstance(value, Mapping)
        and any(isinstance(each, Tensor) for each in value.values())
        and all(isinstance(name, str) for name in value)
    )


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return {name.removeprefix(prefix): each for name, each in state.items()}
    return state


def load_state(model: nn.Module, path: Path) -> None:
    """Load the state dict of a file into a model. Raises UsageError."""
    state = read_state_dict(path)
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except Exception as error:  # a shape that differs, or the model's own hook
        raise UsageError(f"--states {path}: {one_line(describe_error(error), SEVERAL)}") from error
    found = {"lacks": missing, "has an unexpected": unexpected}
    problems = [f"{kind} {_join(names)}" for kind, names in found.items() if names]
    if problems:
        raise UsageError(f"--states {path}: the state dict {' and '.join(problems)}")


def _join(names: Any) -> str:
    return one_line(", ".join(names), SEVERAL)
