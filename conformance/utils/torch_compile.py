"""torch.compile: its backends, and a compiler that counts, so that nothing passes for compiled that is not."""

import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import count
from os import environ
from pathlib import Path
from typing import Any

import torch

from conformance.utils.probing import without_warnings
from conformance.utils.text import first_line

Run = Callable[..., Any]
NUMBERS = count()


@dataclass(frozen=True)
class Backend:
    """A backend of torch.compile, as a parameter of tests."""

    name: str

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the reason why it compiles nothing here, from a tiny trial; None if it works."""
        return compile_unavailable_reason(self.name, device)

    def __str__(self) -> str:
        return self.name


EAGER = Backend("eager")
AOT_EAGER = Backend("aot_eager")
INDUCTOR = Backend("inductor")


class Compiler:
    """torch.compile by one backend, from a clean slate: nothing that another one compiled answers for it.

    `graphs` is how many it has compiled, and `runs` how often one of them was run: a call that falls back to what was
    not compiled counts nowhere. `options` are torch.compile's; a call that can't be compiled whole is refused, unless
    they say otherwise.
    """

    def __init__(self, backend: Backend = AOT_EAGER, **options: Any) -> None:
        from torch._dynamo import lookup_backend

        self.graphs = 0
        self.runs = 0
        self._backend = lookup_backend(backend.name)
        self._options = {"fullgraph": True, **options}

    def __call__(self, func: Run) -> Run:
        def call(*args: Any, **kwargs: Any) -> Any:
            return func(*args, **kwargs)

        # torch.compile keeps what it compiled by code, which closures share: after eight it would give up in silence.
        # It also records by the name of the code which sizes have changed, for all functions of that name.
        call.__code__ = call.__code__.replace(co_name=f"call_{next(NUMBERS)}")
        compiled: Run = torch.compile(call, backend=self._counted, **self._options)
        return compiled

    def _counted(self, graph: Any, inputs: list[Any]) -> Run:
        compiled = self._backend(graph, inputs)
        self.graphs += 1

        def run(*args: Any) -> Any:
            self.runs += 1
            return compiled(*args)

        return run


@cache
def compile_unavailable_reason(backend: str, device: torch.device) -> str | None:
    """Return the reason why a backend compiles nothing for the device; it is tried once.

    For the CPU inductor writes C++, of which a graph takes seconds to compile: there it is asked whether C++ compiles
    at all. An inductor that then fails has failed.
    """
    native = backend == INDUCTOR.name and device.type == "cpu"
    try:
        if native:
            _compile_cpp()
        with without_warnings():
            tried = torch.compile(lambda x: x + 1, backend=EAGER.name if native else backend, fullgraph=True)
            tried(torch.ones(1, device=device))
    except Exception as error:  # noqa: BLE001 - what can't be compiled is said in any way
        return f"torch.compile by {backend} does not work here: {first_line(error)}"
    return None


CPP = '#include <Python.h>\n#include <omp.h>\nextern "C" int threads() { return omp_get_max_threads(); }\n'


def _compile_cpp() -> None:
    """The needs of inductor: a compiler with OpenMP, and the headers of this Python."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "tiny.cpp")
        source.write_text(CPP, encoding="utf-8")
        command = [environ.get("CXX", "g++"), "-shared", "-fPIC", "-fopenmp", f"-I{sysconfig.get_path('include')}"]
        done = subprocess.run(  # noqa: S603 - the compiler that torch would call
            [*command, str(source), "-o", f"{source}.so"], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
