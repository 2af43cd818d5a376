"""torch before 2.0, where torch.func was a package of its own: functorch, whose functions have the same names."""

import importlib
import sys
from typing import Any


def name_torch_func() -> None:
    """Let tests ask for torch.func's transforms by their name of today; what it adds beside them stays missing."""
    torch: Any = importlib.import_module("torch")
    if not hasattr(torch, "func"):
        sys.modules["torch.func"] = torch.func = importlib.import_module("functorch")
