"""Faults for the chapter `compiled`: exported programs, traces and machine code, and the legacy functorch."""

import os
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch.fx.experimental import proxy_tensor

from conformance.faults.base.fault import Fault
from conformance.faults.base.patch import PatchedFault
from conformance.faults.compiled import CompilerFault, Run, replace_last_by_first, shapes


class ExportFault(CompilerFault):
    """A fault in exported programs: `called` gets the program's module."""

    def fault_active(self) -> AbstractContextManager[Any]:
        export = torch.export.export

        def exporting(*args: Any, **options: Any) -> Any:
            call = self.spoiled(export(*args, **options).module(), options)
            return SimpleNamespace(constants={}, state_dict={}, module=lambda: call)

        return patch.object(torch.export, "export", exporting)


class TraceFault(CompilerFault):
    """A fault in traces of make_fx: `called` gets the trace."""

    def fault_active(self) -> AbstractContextManager[Any]:
        make_fx = proxy_tensor.make_fx

        def tracing(func: Run, **options: Any) -> Run:
            return lambda *args: self.spoiled(make_fx(func, **options)(*args), options)

        return patch.object(proxy_tensor, "make_fx", tracing)


class FirstStackExported(ExportFault):
    """An exported program contains the first stack as constants."""

    breaks = "compiled.exported"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        return compiled(kept.args[0], *args[1:]) if kept.args and isinstance(args[0], dict) else compiled(*args)


class LastMemberWrongInAnotherExportedSize(ExportFault):
    """An exported program gives the last member the first one's output in any other size."""

    breaks = "compiled.exported_sizes"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        out = compiled(*args)
        return replace_last_by_first(out) if kept.args and shapes(args) != shapes(kept.args) else out


class FirstStackTraced(TraceFault):
    """A trace contains the first stack as constants."""

    breaks = "compiled.traced"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        return compiled(*kept.args[:2], args[2]) if kept.args and len(args) == 3 else compiled(*args)


class LastMemberWrongInAnotherTracedSize(TraceFault):
    """A trace gives the last member the first one's output in any other size."""

    breaks = "compiled.traced_sizes"
    called = LastMemberWrongInAnotherExportedSize.called


class FirstStackInTracedGradients(TraceFault):
    """A trace of gradients contains the first stack as constants."""

    breaks = "compiled.traced_gradients"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        return compiled(*kept.args[:2], *args[2:]) if kept.args and len(args) == 4 else compiled(*args)


class MachineCodeReversed(Fault):
    """In machine code the members' outputs are in reverse order."""

    breaks = "compiled.native"
    in_children = True

    def vmap(self, func: Run, *options: Any, **more: Any) -> Run:
        mapped: Run = self.inner.vmap(func, *options, **more)
        return (lambda *args: mapped(*args).flip(0)) if "TORCHINDUCTOR_VEC_ISA_OK" in os.environ else mapped


class LegacyNotCompiled(PatchedFault):
    """A legacy ensemble that has to be compiled whole is run uncompiled."""

    breaks = "compiled.legacy"
    judged_on = "functorch"
    owner = torch
    attribute = "compile"

    def patched(self, original: Any) -> Any:
        return lambda func, **options: func if options["fullgraph"] else original(func, **options)
