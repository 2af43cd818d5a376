"""Calls of vmap as source, which Hypothesis draws: a failing example is text that a person can read and rerun."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from conformance.workloads.vmap_calls import Device, NestedCall, Pair, VmapCall, assert_is_the_loop

NAMES = MappingProxyType({"torch": torch, "OrderedDict": OrderedDict, "Pair": Pair})
HEADER = "import torch\nfrom collections import OrderedDict, namedtuple\nPair = namedtuple('Pair', 'left right')\n"


def evaluated(source: str, names: Mapping[str, Any] = NAMES) -> Any:
    """Return the value of an expression that the strategies made."""
    return eval(source, dict(names))  # noqa: S307 - the source is ours


@dataclass(frozen=True)
class SourceCall:
    """A `VmapCall` whose function and arguments are Python source."""

    func: str
    args: str
    in_dims: Any = 0
    out_dims: Any = 0
    chunk_size: int | None = None

    def call(self) -> VmapCall:
        """Return the call that the source describes."""
        return VmapCall(evaluated(self.func), evaluated(self.args), self.in_dims, self.out_dims, self.chunk_size)

    def script(self) -> str:
        """Return a script that needs torch alone and prints the result."""
        options = "" if self.chunk_size is None else f", chunk_size={self.chunk_size}"
        return (
            f"{HEADER}func = {self.func}\nargs = {self.args}\n"
            f"print(torch.func.vmap(func, in_dims={self.in_dims}, out_dims={self.out_dims}{options})(*args))\n"
        )


@dataclass(frozen=True)
class NestedSourceCall:
    """A `NestedCall` whose function and arguments are Python source."""

    func: str
    args: str
    inner: tuple[Any, Any]
    outer: tuple[Any, Any]

    def call(self) -> NestedCall:
        """Return the call that the source describes."""
        return NestedCall(evaluated(self.func), evaluated(self.args), self.inner, self.outer)

    def script(self) -> str:
        """Return a script that needs torch alone and prints the result."""
        return (
            f"{HEADER}func = {self.func}\nargs = {self.args}\n"
            f"print(torch.func.vmap(torch.func.vmap(func, *{self.inner}), *{self.outer})(*args))\n"
        )


def assert_source_is_the_loop(
    implementation: Any, source: SourceCall | NestedSourceCall, device: Device = "cpu"
) -> None:
    """Assert that the implementation's result is bitwise the loop's; a failure carries the script that reruns it."""
    try:
        assert_is_the_loop(implementation, source.call(), device)
    except Exception as error:
        error.add_note(f"With torch alone:\n{source.script()}")
        raise
