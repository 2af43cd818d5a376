"""Implementations that are broken in ways that no fault can be: for the tests of the plugin."""

import ctypes
import os

import torch

from conformance.implementations.torch_func import TorchFunc


class Crashing(TorchFunc):
    """Takes the interpreter down."""

    name = "crashing"

    def combine(self, models):
        os._exit(3)


class Segfaulting(TorchFunc):
    """Reads memory that is nobody's."""

    name = "segfaulting"

    def combine(self, models):
        ctypes.string_at(0)


class Hanging(TorchFunc):
    """Waits in C for what will never come, and lets no Python run."""

    name = "hanging"

    def combine(self, models):
        mutex = ctypes.create_string_buffer(64)
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)


class Breaking(TorchFunc):
    """Breaks the device: after it, nothing computes any more in this process."""

    name = "breaking"

    def combine(self, models):
        def arange(*_, **__):
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nand more")

        torch.arange = arange
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


class Skipping(TorchFunc):
    """Makes its tests end without an answer."""

    name = "skipping"

    def combine(self, models):
        import pytest

        pytest.skip("not today")


class Xfailing(TorchFunc):
    """Says of its own failure that it is expected."""

    name = "xfailing"

    def combine(self, models):
        import pytest

        pytest.xfail("known \ud800")


class Alternating(TorchFunc):
    """Fails at every third call."""

    name = "alternating"
    calls = 0

    def combine(self, models):
        self.calls += 1
        if self.calls % 3 == 0:
            raise RuntimeError(f"race {self.calls}")
        return super().combine(models)


class Interrupting(TorchFunc):
    """Ends the run."""

    name = "interrupting"

    def combine(self, models):
        raise KeyboardInterrupt


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


class Boom(TorchFunc):
    """Refuses every call of what vmap makes, with a word that says nothing."""

    name = "boom"

    def vmap(self, func, *args, **kwargs):
        def refuse(*_, **__):
            raise RuntimeError("boom")

        return refuse
