"""Who is checked: members of a case with a minibatch of their own each, alone and as one."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from conformance.cases.members import MEMBERS
from conformance.devices.probe import finest
from conformance.implementations.ensemble import Ensemble
from conformance.implementations.protocol import Implementation
from conformance.numerics.plain_loop import LoopResult, PlainLoopError, loop
from conformance.utils.module_state import copied
from conformance.utils.pytree import is_inexact, leaves, tree_map
from conformance.utils.rng import restore, seed, state

# Where the generators stand before each member's call: vmap's mode "same" draws once, and so does the first member.
SEED = 23
# How many errors of the loop are measured in each tensor: a few, such as those of five losses, are 0 by luck too often.
ERROR_SAMPLES = 15


class ModelCase(Protocol):
    """What a subject is made of: modules, and for each of them a minibatch, a tuple of positional arguments."""

    @property
    def name(self) -> str: ...

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]: ...

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]: ...


class Subject:
    """`models` and `minibatches` of a case, and the implementation that runs them as one."""

    def __init__(
        self,
        case: ModelCase,
        implementation: Implementation,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        n: int = MEMBERS,
    ) -> None:
        dtype = dtype or finest(device)
        self.implementation = implementation
        self.device = torch.device(device)
        self.models = case.members(n, device=device, dtype=dtype)
        self.minibatches = case.minibatches(n, device=device, dtype=dtype)

    def select(self, who: Sequence[int]) -> "Subject":
        """These members with their minibatches, in this order, as copies."""
        made = object.__new__(Subject)
        made.implementation, made.device = self.implementation, self.device
        try:
            made.models = [copied(self.models[i]) for i in who]
        except Exception as error:
            raise PlainLoopError(f"the plain module can't be copied: {error}") from error
        made.minibatches = [tree_map(_copied, self.minibatches[i]) for i in who]
        return made

    def in_mode(self, mode: bool) -> "Subject":
        """The same in train mode, or in eval mode."""
        made = self.select(range(len(self.models)))
        for model in made.models:
            model.train(mode)
        return made

    @cached_property
    def is_random(self) -> bool:
        """Does the plain module draw random numbers?"""
        model, x = self.select([0]).pairs[0]
        with self.fixed_seed():
            before = state(self.device)
            try:
                model(*x)
            except Exception as error:
                raise PlainLoopError(f"the plain loop fails: {type(error).__name__}: {error}") from error
            after = state(self.device)
        return any(not torch.equal(stood, after[kind]) for kind, stood in before.items())

    @property
    def pairs(self) -> list[tuple[nn.Module, tuple[Any, ...]]]:
        return list(zip(self.models, self.minibatches, strict=True))

    @property
    def randomness(self) -> str:
        """The mode in which members draw what each would draw alone from the same place."""
        return "same" if self.is_random else "error"

    @contextmanager
    def fixed_seed(self) -> Any:
        """The device's generators stand at `SEED` here, and afterwards where they stood."""
        kept = state(self.device)
        try:
            seed(self.device, SEED)
            yield
        finally:
            restore(kept)

    def run_loop(self, func: Callable[[nn.Module, tuple[Any, ...]], Any], *, shared: bool = False) -> LoopResult:
        """`func` of each model and its minibatch by itself, or of the first minibatch if all `shared` it."""
        given = [self.minibatches[0]] * len(self.models) if shared else self.minibatches

        def from_the_same_place(model: nn.Module, x: tuple[Any, ...]) -> Any:
            seed(self.device, SEED)
            return func(model, x)

        with self.fixed_seed():
            return loop(from_the_same_place, self.models, given, numbers=ERROR_SAMPLES)

    def ensemble(self) -> Ensemble:
        return Ensemble(self.implementation, self.models)

    @property
    def stacked_minibatches(self) -> tuple[Any, ...]:
        """The minibatches as one, each tensor (members, *shape)."""
        first, *rest = self.minibatches
        return tree_map(_stacked, first, *rest)

    def run_ensemble(self, func: Callable[..., Any], ensemble: Ensemble, x: tuple[Any, ...], **options: Any) -> Any:
        """`func(params, buffers, x)` over the members, from the same place as each alone; `options` are vmap's.

        Each tensor of `x` is mapped, unless `in_dims` says otherwise.
        """
        dims = tree_map(lambda leaf: 0 if isinstance(leaf, Tensor) else None, x)
        options = {"in_dims": (0, 0, dims), "randomness": self.randomness} | options
        with self.fixed_seed():
            return self.implementation.vmap(func, **options)(ensemble.params, ensemble.buffers, x)


def _copied(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf


def _stacked(leaf: Any, *others: Any) -> Any:
    return torch.stack([leaf, *others]) if isinstance(leaf, Tensor) else leaf


def output_tensors(output: Any) -> tuple[Tensor, ...]:
    """The tensors of an output, in order; what is none, such as a missing attention weight, vmap can't return."""
    return tuple(leaf for _, leaf in leaves(output, "output") if isinstance(leaf, Tensor))


def floating_inputs(tree: Any) -> list[Tensor]:
    """The floating tensors among the inputs."""
    return [leaf for _, leaf in leaves(tree, "input") if is_inexact(leaf)]


def weighted_sum(output: Any) -> Tensor:
    """A number that depends on every floating element of an output, each in its own way."""
    parts = [(leaf * _weights(leaf)).sum() for leaf in output_tensors(output) if is_inexact(leaf)]
    return torch.stack([part.real if part.is_complex() else part for part in parts]).sum()


def _weights(leaf: Tensor) -> Tensor:
    """A number from -1 to 1 for each element, the same in every dtype but for rounding.

    Their squares make them cancel no better than random numbers do: cosines in a row cancel almost wholly, and what was
    left as the gradient of a bias was little more than rounding, the same in each member.
    """
    phases = torch.arange(1, 1 + leaf.numel(), dtype=torch.float64).square()
    return phases.cos().to(leaf.dtype).to(leaf.device).reshape(leaf.shape)
