"""Runs a script in this process, where its imports are there already."""

import contextlib
import io
import linecache
import random
import sys
import warnings
from types import ModuleType
from typing import Any

import torch

NAME = "script"


def run_here(text: str) -> Any:
    """Return the exit code of a script; 0 if it ends without, 2 if it raises. Generators and filters are as before."""
    generators, python = torch.get_rng_state(), random.getstate()
    module = ModuleType(NAME)
    linecache.cache[NAME] = (len(text), None, text.splitlines(keepends=True), NAME)  # torch.compile reads it
    sys.modules[NAME] = module
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(text, NAME, "exec"), vars(module))  # noqa: S102 - our own sources
    except SystemExit as end:
        return end.code
    except Exception:  # noqa: BLE001 - a script that can't be run shows nothing
        return 2
    finally:
        del sys.modules[NAME]
        linecache.cache.pop(NAME, None)
        torch.set_rng_state(generators)
        random.setstate(python)
    return 0
