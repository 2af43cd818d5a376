"""Runs a check in a process of its own, where it can take nothing down but itself."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

CODE = "import pickle, sys; sys.path[:] = {path!r}; func, args = pickle.load(sys.stdin.buffer); func(*args)"


def in_child(func: Callable[..., None], *args: Any) -> None:
    """Call `func`, importable like its arguments' classes, in a new interpreter.

    Raises AssertionError with the last line that it wrote if it does not end well, be it by an exception or a crash.
    """
    command = [sys.executable, "-c", CODE.format(path=sys.path)]
    child = subprocess.run(command, input=pickle.dumps((func, args)), capture_output=True, check=False)  # noqa: S603
    said = child.stderr.decode(errors="replace").strip().splitlines()
    reason = next((line for line in reversed(said) if "Error: " in line), said[-1] if said else "nothing")
    assert child.returncode == 0, f"in a child process, which ended with {child.returncode}: {reason}"
