"""Faults for the chapter `purity`: after exceptions, and among threads."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.faults.base.fault import Fault
from conformance.faults.base.patch import PatchedFault
from conformance.faults.base.vmap import OutputFault, VmapFault

Run = Callable[..., Any]


class ExceptionsDrawNumbers(VmapFault):
    """An exception leaves the generator advanced."""

    breaks = "purity.exception"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        try:
            return run(func, in_dims, out_dims, args)
        except BaseException:
            torch.rand(1)
            raise


class ExceptionsChangeTheMode(PatchedFault):
    """An exception in a forward leaves the module in the other mode."""

    breaks = "purity.exception"
    owner = torch.func
    attribute = "functional_call"

    def patched(self, original: Any) -> Any:
        def functional_call(module: nn.Module, *args: Any, **options: Any) -> Any:
            try:
                return original(module, *args, **options)
            except BaseException:
                module.train(not module.training)
                raise

        return functional_call


class WrongAfterAnException(OutputFault):
    """The first call after an exception has the members in reverse order."""

    breaks = "purity.exception"
    failed = False

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        self.failed = False
        return super().combine(models)

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        try:
            out = super().mapped(run, func, in_dims, out_dims, args)
        except ZeroDivisionError:
            self.failed = True
            raise
        self.failed = False
        return out

    def output(self, tensor: Tensor) -> Tensor:
        return tensor.flip(0) if self.failed else tensor


class ThreadsMix(VmapFault):
    """A call that overlaps with one of another thread has the members in reverse order."""

    breaks = "purity.threads"
    also = ("purity.threads_sharing",)
    latest = 0

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        self.latest = threading.get_ident()
        out = run(func, in_dims, out_dims, args)
        return out if self.latest == threading.get_ident() else out.flip(0)


class ThreadsShareState(Fault):
    """A call of another thread during a forward changes that forward's result."""

    breaks = "purity.threads_sharing"
    judged_on = "reference"

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        latest = [0]

        def marked(*args: Any, **kwargs: Any) -> Any:
            latest[0] = threading.get_ident()
            out = fmodel(*args, **kwargs)
            return out if latest[0] == threading.get_ident() else out + 1

        return marked, params, buffers
