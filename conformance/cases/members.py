"""Distinct members of an ensemble, made from an explicit seed without changing the caller's random state.

`MEMBERS` is a prime that is not a size in any small module, so that confused dimensions show.
"""

from collections.abc import Callable

import torch
from torch import nn

from conformance.utils.module_state import move_module, state_of

MEMBERS = 5


def members(
    factory: Callable[[], nn.Module],
    n: int,
    *,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> list[nn.Module]:
    """Return `n` distinct modules made from one seed; the caller's random state does not change.

    They are made on the CPU in their own dtype and then converted, so that every device and dtype starts from the same
    numbers. The default seed is `torch.initial_seed()`, which the suite's ``--seed`` sets.
    Raises ValueError if two members have the same state, because such an ensemble can't reveal mixed-up members.
    """
    with torch.random.fork_rng(devices=[]):
        # Seed the CPU alone: torch.manual_seed would also seed every device, and fork_rng does not restore those.
        torch.default_generator.manual_seed(torch.initial_seed() if seed is None else seed)
        made = [factory() for _ in range(n)]
    for i, model in enumerate(made):
        for j, other in enumerate(made[:i]):
            if model is other or (state_of(model) and _same_state(model, other)):
                raise ValueError(f"members {j} and {i} of {type(model).__name__} have the same state")
    return [move_module(model, device, dtype) for model in made]


def _same_state(model: nn.Module, other: nn.Module) -> bool:
    pairs = zip(state_of(model).values(), state_of(other).values(), strict=True)
    return all(torch.equal(ours, theirs) for ours, theirs in pairs)
