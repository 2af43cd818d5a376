"""The floor: no form is faster than the machine multiplies matrices and reads memory, each as measured here."""

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
# Passes over the parameters that no form can do without: forward reads them, backward writes gradients, and a step
# reads both and writes the parameters.
PASSES = {"forward": 1, "backward": 2, "step": 5}


@dataclass(frozen=True)
class Floor:
    """What the machine does at best in float32: floating-point operations and bytes read, a second."""

    flops: float
    bytes: float

    def least(self, flops: float, size: float) -> float:
        """The seconds that so many operations or so many bytes take, whichever is more."""
        return max(flops / self.flops, size / self.bytes)


def measure_floor(device: torch.device, side: int = SIDE, numbers: int = NUMBERS) -> Floor:
    """The product of two square matrices of this side, and the sum of so many numbers: the best of some rounds."""
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
    """What one member computes, by what is done: operations of its products and convolutions."""
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        model(images)
    with FlopCounterMode(display=False) as backward:
        F.cross_entropy(copy.deepcopy(model)(images), classes).backward()  # type: ignore[no-untyped-call]
    learning = backward.get_total_flops()
    return {"forward": forward.get_total_flops(), "backward": learning, "step": learning}


def count_bytes(model: nn.Module) -> dict[str, int]:
    """What one member moves at least, by what is done: its parameters, and no activations, which may stay in caches."""
    size = sum(parameter.nbytes for parameter in model.parameters())
    return {what: passes * size for what, passes in PASSES.items()}
