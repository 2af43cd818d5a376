"""A record of the torch functions that a call runs, with two numbers that stand for each function's output."""

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from conformance.checks.values import output_tensors
from conformance.utils.rng import library_states

SECONDS = 20.0
MAX_FUNCTIONS = 20_000
HOOK = "torch.Tensor.register_hook"
# The modules that hold the generators, by the names that `library_states` has for them.
MODULES = {"Python's random": "random", "NumPy": "numpy.random"}
Caller = tuple[str, int, nn.Module | None]


_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


class TraceEndedError(Exception):
    """The traces have reached their limit."""


@contextmanager
def limited_traces() -> Iterator[None]:
    """Let all traces of the body end with TraceEndedError once they have taken `SECONDS`."""
    token = _deadline.set(time.monotonic() + SECONDS)
    try:
        yield
    finally:
        _deadline.reset(token)


class OperationTrace(TorchFunctionMode):
    """A mode that records each torch function that returns a tensor, writes to one, or sets a hook.

    `names` are the functions in the order of their calls, `kinds` the shapes, dtypes and devices of their outputs, and
    `summaries` two numbers for each: under vmap these are mapped tensors, which the mapped function has to return.
    `drew` says which functions drew random numbers on the CPU, and `other_draws` names the module other than torch that
    drew some since the function before. `inputs` has the ids of the tensors that each function
    takes. With `taps`, which are added to the outputs, `outputs` keeps them, and so an id is that of one tensor: a
    derivative with respect to a tap is one with respect to the output. `callers` has the files, lines and modules of
    the frames that led to each function.
    """

    def __init__(self, taps: Mapping[int, Tensor] | None = None) -> None:
        super().__init__()
        self.names: list[str] = []
        self.kinds: list[tuple[Any, ...]] = []
        self.summaries: list[Tensor] = []
        self.drew: list[bool] = []
        self.other_draws: list[str | None] = []
        self.inputs: list[set[int]] = []
        self.outputs: dict[int | str, Tensor] = {}
        self.callers: list[list[Caller]] = []
        self._taps = taps or {}
        self._others = _other_generators()

    def __enter__(self) -> Self:
        # Generators may have been seeded since.
        self._others = _other_generators()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if len(self.names) > MAX_FUNCTIONS or time.monotonic() > _deadline.get():
            raise TraceEndedError
        name = resolve_name(func) or type(func).__name__
        before = torch.get_rng_state()
        out = func(*args, **(kwargs or {}))
        written = out is None and args and isinstance(args[0], Tensor)
        tensors = output_tensors(args[0] if written else out)
        if name.endswith("__get__") or not (tensors or name == HOOK):
            return out
        k = len(self.names)
        if k in self._taps and isinstance(out, Tensor) and not any(out is each for each in args):
            out = out + self._taps[k]
        self.names.append(name)
        self.callers.append(_callers(sys._getframe(1)))  # noqa: SLF001 - inspect.currentframe is this very function
        self.kinds.append(tuple((tuple(each.shape), each.dtype, each.device.type) for each in tensors))
        self.summaries.append(_summary(tensors))
        self.drew.append(not torch.equal(before, torch.get_rng_state()))
        others = _other_generators()
        self.other_draws.append(
            next((each for each in others if others[each] != self._others.get(each, others[each])), None)
        )
        self._others = others
        if self._taps:
            self.inputs.append({id(each) for each in output_tensors([*args, *(kwargs or {}).values()])})
            self.outputs[k] = out
        return out


def _other_generators() -> dict[str, int]:
    """Return a number for the state of each generator that is not torch's, by the module that holds it."""
    return {MODULES[name]: hash(state) for name, state in library_states().items()}


def _summary(tensors: Sequence[Tensor]) -> Tensor:
    numbers = [_numbers(each) for each in tensors if each.layout == torch.strided and each.device.type != "meta"]
    return torch.stack(numbers).sum(0) if numbers else torch.zeros(2, dtype=torch.float64)


def _numbers(leaf: Tensor) -> Tensor:
    """Return a weighted sum of a tensor, and the sum of its absolute values, by which rounding is measured."""
    leaf = torch.view_as_real(leaf) if leaf.is_complex() else leaf
    wide = leaf.reshape(-1).to("cpu", torch.float64)
    weights = torch.arange(1, 1 + wide.numel(), dtype=torch.float64).square().cos()
    return torch.stack([(wide * weights).sum(), wide.abs().sum()])


def _callers(frame: FrameType | None) -> list[Caller]:
    """Return the frames from the outermost to this one; a frame of a module's forward with the module."""
    found = []
    while frame:
        code = frame.f_code
        owner = frame.f_locals.get(code.co_varnames[0]) if code.co_name == "forward" and code.co_varnames else None
        found.append((code.co_filename, frame.f_lineno, owner if isinstance(owner, nn.Module) else None))
        frame = frame.f_back
    return found[::-1]
