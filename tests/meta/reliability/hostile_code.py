"""Implementations whose `vmap` misbehaves, for ``--implementation=hostile_code:NAME``."""

import itertools
import os

from hostile_ends import ENDING
from hostile_sayings import SAYING

from conformance.implementations.torch_func import TorchFunc


class Hostile(TorchFunc):
    """Commits a fault whenever vmap is called."""

    def __init__(self, act):
        self.act = act
        self.name = act.__name__

    def vmap(self, func, *args, **kwargs):
        self.act()
        return super().vmap(func, *args, **kwargs)


def each_says_something():
    """Return an implementation that does one after the other; two workers begin at different ones."""
    acts = list(SAYING.values())
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":
        acts = [*acts[len(acts) // 2 :], *acts[: len(acts) // 2]]
    turns = itertools.cycle(acts)
    made = Hostile(lambda: next(turns)())  # noqa: PLW0108 - another one at each call
    made.name = "by_turns"
    return made


by_turns = each_says_something()
globals().update({name: Hostile(act) for name, act in ENDING.items()})
