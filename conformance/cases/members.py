"""Distinct members of an ensemble, drawn from one visible seed without touching the caller's RNG.

`MEMBERS` is a prime that no small module has as a size of its own, so that no two dimensions can be mixed up.
"""

from collections.abc import Callable

import torch
from torch import nn

from conformance.utils.module_state import moved, state_of

MEMBERS = 5


def members(
    factory: Callable[[], nn.Module],
    n: int,
    *,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> list[nn.Module]:
    """`n` distinct modules from one seed; the caller's random state stays as it is.

    They are made on the CPU in their own dtype and then converted, so that every device and dtype starts from the same
    numbers. Without a seed it is `torch.initial_seed()`, which the suite's ``--seed`` sets.
    Raises ValueError if two members have the same state, since such an ensemble proves nothing.
    """
    with torch.random.fork_rng(devices=[]):
        # Of the CPU alone: torch.manual_seed would set every device's, and nobody would set them back.
        torch.default_generator.manual_seed(torch.initial_seed() if seed is None else seed)
        made = [factory() for _ in range(n)]
    for i, model in enumerate(made):
        for j, other in enumerate(made[:i]):
            if model is other or (state_of(model) and _same_state(model, other)):
                raise ValueError(f"members {j} and {i} of {type(model).__name__} have the same state")
    return [moved(model, device, dtype) for model in made]


def _same_state(model: nn.Module, other: nn.Module) -> bool:
    pairs = zip(state_of(model).values(), state_of(other).values(), strict=True)
    return all(torch.equal(ours, theirs) for ours, theirs in pairs)
