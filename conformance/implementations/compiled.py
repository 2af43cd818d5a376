"""torch.func under torch.compile, with each of the compiler's backends."""

from collections.abc import Callable
from typing import Any

import torch

from conformance.implementations.torch_func import TorchFunc
from conformance.utils.torch_compile import AOT_EAGER, EAGER, INDUCTOR, Compiler


class Compiled(TorchFunc):
    """torch.func under torch.compile: each call that is mapped is compiled, in parts or not at all where it can't be.

    It is compiled by aot_eager, which takes every step of the compiler but the last one: inductor writes machine code,
    seconds for every graph, and a whole suite of it would take hours (`CompiledInductor`, for a chapter).
    `compiler` counts what was compiled and what was run of that.
    """

    name = "compiled"
    backend = AOT_EAGER

    def __init__(self) -> None:
        self.compiler = Compiler(self.backend, fullgraph=False)

    def unavailable(self) -> str | None:
        return super().unavailable() or self.backend.unavailable_reason(torch.device("cpu"))

    def vmap(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        mapped = super().vmap(func, *args, **kwargs)
        # What is mapped inside is compiled with what is around it.
        return mapped if torch.compiler.is_compiling() else self.compiler(mapped)


class CompiledEager(Compiled):
    """torch.func under torch.compile, whose tracer alone is judged: what was traced runs as it is."""

    name = "compiled-eager"
    backend = EAGER


class CompiledInductor(Compiled):
    """torch.func under torch.compile with inductor, which writes machine code."""

    name = "compiled-inductor"
    backend = INDUCTOR
