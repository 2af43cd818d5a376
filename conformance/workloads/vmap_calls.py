"""One whole call of vmap, as source that a person can read and rerun: function, arguments, dimensions, chunk size."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from conformance.numerics.assertions import assert_same
from conformance.reference.vmap import vmap as reference_vmap
from conformance.utils.pytree import tree_map


class Pair(NamedTuple):
    """A named tuple for arguments and outputs."""

    left: Any
    right: Any


NAMES = {"torch": torch, "OrderedDict": OrderedDict, "Pair": Pair}


@dataclass(frozen=True)
class VmapCall:
    """``vmap(func, in_dims, out_dims, chunk_size=chunk_size)(*args)``; `func` and `args` are Python source.

    The values are small integers, whatever the dtype: sums and products of them are exact, so that vmap has to give
    what the loop gives to the last bit.
    """

    func: str
    args: str
    in_dims: Any = 0
    out_dims: Any = 0
    chunk_size: int | None = None

    def function(self) -> Any:
        return eval(self.func, dict(NAMES))  # noqa: S307 - the source is ours

    def arguments(self, device: torch.device | str = "cpu") -> tuple[Any, ...]:
        made = eval(self.args, dict(NAMES))  # noqa: S307 - the source is ours
        moved: tuple[Any, ...] = tree_map(lambda leaf: _moved(leaf, device), made)
        return moved

    def expected(self, device: torch.device | str = "cpu") -> Any:
        """What the loop gives."""
        return reference_vmap(self.function(), self.in_dims, self.out_dims)(*self.arguments(device))

    def script(self) -> str:
        """The call with torch alone."""
        options = "" if self.chunk_size is None else f", chunk_size={self.chunk_size}"
        return (
            "import torch\nfrom collections import OrderedDict, namedtuple\nPair = namedtuple('Pair', 'left right')\n"
            f"func = {self.func}\nargs = {self.args}\n"
            f"print(torch.func.vmap(func, in_dims={self.in_dims}, out_dims={self.out_dims}{options})(*args))\n"
        )


def _moved(leaf: Any, device: torch.device | str) -> Any:
    """On the device, and in the layout that it has."""
    if not isinstance(leaf, torch.Tensor) or leaf.device.type == torch.device(device).type:
        return leaf
    memory = leaf.as_strided((leaf.untyped_storage().nbytes() // leaf.element_size(),), (1,), 0).to(device)
    return memory.as_strided(leaf.shape, leaf.stride(), leaf.storage_offset())


def assert_is_the_loop(implementation: Any, call: VmapCall, device: torch.device | str = "cpu") -> None:
    """The implementation gives bitwise what the loop gives; a failure carries a script that reruns it."""
    options = {} if call.chunk_size is None else {"chunk_size": call.chunk_size}
    try:
        mapped = implementation.vmap(call.function(), call.in_dims, call.out_dims, **options)
        actual = mapped(*call.arguments(device))
        assert_same(actual, call.expected(device), "output")
    except Exception as error:
        error.add_note(f"With torch alone:\n{call.script()}")
        raise
