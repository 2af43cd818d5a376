"""Faults for the chapter `determinism`: seeds, generators and draws."""

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from conformance.faults.base.fault import Fault, StackFault
from conformance.faults.base.patch import PatchedFault


class SeedFault(PatchedFault):
    """A fault in torch.manual_seed: `seeded` replaces it."""

    owner = torch
    attribute = "manual_seed"

    def patched(self, original: Any) -> Any:
        return lambda seed: self.seeded(original, seed)

    seeded: Callable[..., torch.Generator]


class SeedsAddUp(SeedFault):
    """Each seeding advances the generator by one number more than the one before."""

    breaks = "determinism.seeded_twice"
    also = (
        "determinism.seed*",
        "determinism.later_members",
        "determinism.fork_rng_vmap",
        "determinism.golden_*",
        "determinism.other_draws",
    )

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.count = itertools.count()

    def seeded(self, manual_seed: Callable[[int], torch.Generator], seed: int) -> torch.Generator:
        generator = manual_seed(seed)
        torch.rand(next(self.count))
        return generator


class ThreadsSeedElsewhere(SeedFault):
    """In another thread a seed is a different one."""

    breaks = "determinism.seeded_in_thread"

    def seeded(self, manual_seed: Callable[[int], torch.Generator], seed: int) -> torch.Generator:
        return manual_seed(seed + (threading.current_thread() is not threading.main_thread()))


class SeedBitLost(SeedFault):
    """One bit of a seed is ignored."""

    breaks = "determinism.seeds_differ"

    def seeded(self, manual_seed: Callable[[int], torch.Generator], seed: int) -> torch.Generator:
        return manual_seed(seed & ~(1 << 9))


class ReversedInOtherProcesses(Fault):
    """In another process the stack is in another order, as if sorted by the hash of a name."""

    breaks = "determinism.seeded_in_process"
    judged_on = "reference"

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.process = os.getpid()

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        return self.inner.combine(models if os.getpid() == self.process else models[::-1])


class ManyMembersMove(StackFault):
    """Among 23 members each is in the place of the one after it."""

    breaks = "determinism.later_members"
    also = ("determinism.number",)

    def stacked(self, tensor: Tensor) -> Tensor:
        return tensor.roll(1, 0) if len(tensor) == 23 else tensor


class GeneratorStays(Fault):
    """fork_rng restores nothing."""

    breaks = "determinism.fork_rng"
    also = ("determinism.fork_rng_vmap",)

    def fault_active(self) -> AbstractContextManager[Any]:
        return patch.object(torch.random, "fork_rng", lambda **_: nullcontext())


class VmapDrawsOnItsOwn(Fault):
    """vmap draws from a generator that is never seeded."""

    breaks = "determinism.fork_rng_vmap"

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.seeds = itertools.count()

    def vmap(self, func: Callable[..., Any], *options: Any, **more: Any) -> Callable[..., Any]:
        mapped = self.inner.vmap(func, *options, **more)

        def unseeded(*args: Any) -> Any:
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(next(self.seeds))
                return mapped(*args)

        return unseeded if "randomness" in more else mapped


class PermutationsBackwards(PatchedFault):
    """randperm shuffles from the other end."""

    breaks = "determinism.golden_draws"
    owner = torch
    attribute = "randperm"

    def patched(self, original: Any) -> Any:
        return lambda n: original(n).flip(0)


class OrthogonalMirrored(PatchedFault):
    """orthogonal_ returns matrices of the opposite sign."""

    breaks = "determinism.golden_inits"
    owner = nn.init
    attribute = "orthogonal_"

    def patched(self, original: Any) -> Any:
        return lambda tensor: original(tensor).neg_()


class KaimingForgetsTheSlope(PatchedFault):
    """kaiming_uniform_ ignores the slope of a leaky ReLU."""

    breaks = "determinism.golden_modules"
    owner = nn.init
    attribute = "kaiming_uniform_"

    def patched(self, original: Any) -> Any:
        return lambda tensor, a: original(tensor, a=0 * a)
