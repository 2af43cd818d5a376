"""The roofline: a lower bound of times, from the measured speed of matrix products and of reading memory."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.benchmark.utils.timer import timer
from torch.utils.flop_counter import FlopCounterMode

SIDE = 2048
NUMBERS = 2**26
ROUNDS = 10
# Minimal passes over the parameters: forward reads them, backward also writes gradients, and a step also reads both
# and writes the parameters.
PASSES = {"forward": 1, "backward": 2, "step": 5}


@dataclass(frozen=True)
class Floor:
    """The best measured speed in float32: floating-point operations and bytes read per second."""

    flops: float
    bytes: float

    def least(self, flops: float, size: float) -> float:
        """Return the seconds that `flops` operations or `size` bytes take, whichever is longer."""
        return max(flops / self.flops, size / self.bytes)


def measure_floor(device: torch.device, side: int = SIDE, numbers: int = NUMBERS) -> Floor:
    """Measure a product of two `side` x `side` matrices and a sum of `numbers` numbers; the best of ROUNDS counts."""
    square = torch.ones(side, side, device=device)
    out = torch.empty_like(square)
    long = torch.ones(numbers, device=device)
    product = _best_time(lambda: torch.mm(square, square, out=out))
    return Floor(2 * side**3 / product, long.nbytes / _best_time(long.sum))


def _best_time(call: Callable[[], Any]) -> float:
    taken = []
    for _ in range(ROUNDS):
        begin = timer()
        call()
        taken.append(timer() - begin)
    return min(taken)


def count_flops(model: nn.Module, images: Tensor, classes: Tensor) -> dict[str, int]:
    """Return the floating-point operations of one member's matrix products and convolutions, by task."""
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        model(images)
    with FlopCounterMode(display=False) as backward:
        F.cross_entropy(copy.deepcopy(model)(images), classes).backward()  # type: ignore[no-untyped-call]
    learning = backward.get_total_flops()
    return {"forward": forward.get_total_flops(), "backward": learning, "step": learning}


def count_bytes(model: nn.Module) -> dict[str, int]:
    """Return the minimal bytes that one member moves, by task: parameters only, as activations may stay in caches."""
    size = sum(parameter.nbytes for parameter in model.parameters())
    return {task: passes * size for task, passes in PASSES.items()}
