"""Code compiled by inductor, in a separate process with an empty cache."""

import os
import tempfile
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.data import draw
from conformance.cases.members import MEMBERS, members
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.utils.torch_compile import INDUCTOR, Compiler

# For one graph, many workers and a test program for each instruction set of the CPU only cost time.
FAST_COMPILATION = {"TORCHINDUCTOR_COMPILE_THREADS": "1", "TORCHINDUCTOR_VEC_ISA_OK": "1"}


class Scale(nn.Module):
    """A factor for each feature, and tanh: a single compiled kernel. Input and output (samples, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.randn(3))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.factor * x)


def assert_compiled_matches_loop(implementation: Any, device: torch.device) -> None:
    """Assert that one compiled call gives two stacks the plain loop's results.

    Run it in a separate process: it changes environment variables and inductor's configuration.
    """
    models = members(Scale, 2 * MEMBERS, device=device)
    xs = draw(2 * MEMBERS, 7, 3, device=device)
    with tempfile.TemporaryDirectory() as cache, torch.no_grad():
        os.environ.update(FAST_COMPILATION, TORCHINDUCTOR_CACHE_DIR=cache)
        with suppress(AttributeError):  # Some releases precompile all headers, for ten seconds.
            from torch._inductor import config

            config.cpp_cache_precompile_headers = False
        compiler = Compiler(INDUCTOR)
        call = None
        for stack in (range(MEMBERS), range(MEMBERS, 2 * MEMBERS)):
            expected = loop(lambda model, x: model(x), [models[i] for i in stack], [xs[i] for i in stack])
            fmodel, params, buffers = implementation.combine([models[i] for i in stack])
            call = call or compiler(implementation.vmap(fmodel))
            out = call(params, buffers, xs[list(stack)])

            assert_distinct(*out)
            assert_members_close(out, expected)
        assert (compiler.graphs, compiler.runs) == (1, 2)
