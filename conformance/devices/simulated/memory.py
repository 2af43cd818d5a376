"""The memory of tensors on a simulated device: each block of CPU memory that one of them holds counts once."""

import weakref
from collections import Counter
from typing import Any

from torch import Tensor


class Memory:
    """The bytes that tensors on one device hold, and the most that they held since `reset`."""

    def __init__(self) -> None:
        self.holders: Counter[int] = Counter()
        self.bytes = 0
        self.peak = 0

    def hold(self, tensor: Any, raw: Tensor) -> None:
        """Count the block that `raw` lies in for as long as `tensor` lives."""
        storage = raw.untyped_storage()
        block, size = storage.data_ptr(), storage.nbytes()
        if not self.holders[block]:
            self.bytes += size
            self.peak = max(self.peak, self.bytes)
        self.holders[block] += 1
        weakref.finalize(tensor, self.release, block, size).atexit = False

    def release(self, block: int, size: int) -> None:
        self.holders[block] -= 1
        if not self.holders[block]:
            del self.holders[block]
            self.bytes -= size

    def reset(self) -> None:
        self.peak = self.bytes
