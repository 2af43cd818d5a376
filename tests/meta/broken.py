"""Implementations that are broken in ways that no fault can be: for the tests of the plugin."""

import os

from conformance.implementations import TorchFunc


class Crashing(TorchFunc):
    """Takes the interpreter down."""

    name = "crashing"

    def combine(self, models):
        os._exit(3)


class Skipping(TorchFunc):
    """Makes its tests end without an answer."""

    name = "skipping"

    def combine(self, models):
        import pytest

        pytest.skip("not today")


class Renamed(TorchFunc):
    """torch.func, as somebody's subclass that keeps its name."""


class Absent(TorchFunc):
    """Not available in this torch."""

    name = "absent"

    def unavailable(self):
        return "this torch has no such thing"


class Minimal:
    """The protocol's two functions and nothing else, not even a name."""

    def combine(self, models):
        return TorchFunc().combine(models)

    def vmap(self, func, *args, **kwargs):
        return TorchFunc().vmap(func, *args, **kwargs)


minimal = Minimal()


class Incomplete:
    """Has no vmap."""

    def combine(self, models):
        """Never called."""


class Raising(TorchFunc):
    """Can't even be made."""

    def __init__(self):
        raise RuntimeError("no licence")
