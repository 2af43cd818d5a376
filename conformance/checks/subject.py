"""The system under test: members, each with its own minibatch, run one by one or as an ensemble."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from conformance.cases.members import MEMBERS
from conformance.checks.calls import call_model, mapped_dims, own_leaves, stack_minibatches
from conformance.devices.probe import finest_dtype
from conformance.implementations.ensemble import Ensemble
from conformance.implementations.protocol import Implementation
from conformance.implementations.torch_func import without_copies
from conformance.numerics.plain_loop import LoopResult, PlainLoopError, loop
from conformance.utils.held_objects import held_objects
from conformance.utils.module_state import copy_module, state_of
from conformance.utils.pytree import tree_map
from conformance.utils.rng import library_states, restore, seed, seeded_libraries, state
from conformance.utils.text import describe_error, text_of, type_name

# The seed before each member's call: all members then draw the same numbers, as in vmap's mode "same".
SEED = 23
# The number of errors of the loop measured in each tensor. A few, such as those of five losses, are 0 by chance.
ERROR_SAMPLES = 15


# Name of the generators that a module holds, among those of the device and of Python and NumPy.
HELD = "held"


class ModelCase(Protocol):
    """The source of a subject: modules, and a minibatch for each, which is a tuple of positional arguments.

    Optional: `plain_loop`, to be used instead of `numerics.plain_loop.loop`, and `copied`, which is False if the
    modules can't be copied.
    """

    @property
    def name(self) -> str: ...

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]: ...

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]: ...


class Subject:
    """The `models` and `minibatches` of a case, and the implementation that runs them as an ensemble.

    `with_gradients`: whether checks of results compare gradients too. `mode_if_random`: vmap's randomness mode for a
    module that draws random numbers.
    """

    def __init__(
        self,
        case: ModelCase,
        implementation: Implementation,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        n: int = MEMBERS,
    ) -> None:
        dtype = dtype or finest_dtype(device)
        self.plain_loop = getattr(case, "plain_loop", loop)
        self.copied = getattr(case, "copied", True)
        self.draws_elsewhere = getattr(case, "draws_elsewhere", False)
        self.implementation = implementation if self.copied else without_copies(implementation)
        self.device = torch.device(device)
        self.with_gradients, self.mode_if_random = True, "same"
        self.models = case.members(n, device=device, dtype=dtype)
        self.minibatches = case.minibatches(n, device=device, dtype=dtype)

    def select(self, indices: Sequence[int]) -> "Subject":
        """Return a subject with copies of these members and their minibatches, in this order.

        Raises PlainLoopError if a module can't be copied.
        """
        made = object.__new__(Subject)
        made.implementation, made.device = self.implementation, self.device
        made.plain_loop, made.copied, made.draws_elsewhere = self.plain_loop, self.copied, self.draws_elsewhere
        made.with_gradients, made.mode_if_random = self.with_gradients, self.mode_if_random
        try:
            made.models = [copy_module(self.models[i]) for i in indices]
        except Exception as error:
            raise PlainLoopError(f"the plain module can't be copied: {text_of(error)}") from error
        made.minibatches = [tree_map(_copied, self.minibatches[i]) for i in indices]
        return made

    def in_mode(self, mode: bool) -> "Subject":
        """Return a copy of the subject in train mode if `mode`, else in eval mode."""
        made = self.select(range(len(self.models)))
        for model in made.models:
            model.train(mode)
        return made

    def outputs_alone(self) -> "Subject":
        """Return a copy of the subject of which checks compare the outputs, without gradients."""
        made = self.select(range(len(self.models)))
        made.with_gradients = False
        return made

    def drawing(self, mode: str) -> "Subject":
        """Return a copy of the subject that is mapped in this randomness mode if it draws."""
        made = self.select(range(len(self.models)))
        made.mode_if_random = mode
        return made

    @cached_property
    def is_random(self) -> bool:
        """True if the plain module draws random numbers of torch; raises PlainLoopError if it fails."""
        return not self._drawn.isdisjoint({*state(self.device), HELD})

    @property
    def draws(self) -> bool:
        """True if the plain module draws random numbers, of torch or of Python or NumPy; raises PlainLoopError."""
        return bool(self._drawn)

    @cached_property
    def _drawn(self) -> set[str]:
        """The names of the global generators that a call of the plain module changes, and HELD for its own ones."""
        model, x = (self.select([0]) if self.copied else self).pairs[0]
        generators = [each for _, each in held_objects(model) if isinstance(each, torch.Generator)]
        with self.fixed_seed():
            before, libraries = state(self.device), library_states()
            held = [each.get_state() for each in generators]
            try:
                call_model(model, x)
            except Exception as error:
                raise PlainLoopError(f"the plain loop fails: {describe_error(error)}") from error
            after, libraries_after = state(self.device), library_states()
        drawn = {kind for kind, old in before.items() if not torch.equal(old, after[kind])}
        moved = any(not torch.equal(old, each.get_state()) for old, each in zip(held, generators, strict=True))
        drawn |= {HELD} if moved else set()
        return drawn | {name for name, old in libraries.items() if libraries_after[name] != old}

    @property
    def pairs(self) -> list[tuple[nn.Module, tuple[Any, ...]]]:
        return list(zip(self.models, self.minibatches, strict=True))

    @property
    def randomness(self) -> str:
        """The randomness mode of vmap; by default, each member draws the same numbers as it does alone."""
        return self.mode_if_random if self.is_random else "error"

    @contextmanager
    def fixed_seed(self) -> Any:
        """Seed all global generators with `SEED`, and restore their state afterwards."""
        saved = state(self.device)
        try:
            with self._seeded_libraries():
                seed(self.device, SEED)
                yield
        finally:
            restore(saved)

    def _seeded_libraries(self) -> AbstractContextManager[None]:
        """Seed the generators of Python and NumPy, if the case says that a call draws from them: it takes a while."""
        return seeded_libraries(SEED) if self.draws_elsewhere else nullcontext()

    def run_loop(
        self,
        func: Callable[[nn.Module, tuple[Any, ...]], Any],
        *,
        shared: bool = False,
        draws: int = 1,
        rounding: float = 0.0,
    ) -> LoopResult:
        """Return `func(model, minibatch)` of each member in turn; with `shared`, all get the first minibatch.

        `draws` and `rounding` measure the loop's error: see `numerics.plain_loop.loop`.
        """
        minibatches = [self.minibatches[0]] * len(self.models) if shared else self.minibatches

        def from_the_same_seed(model: nn.Module, x: tuple[Any, ...]) -> Any:
            with self._seeded_libraries():
                seed(self.device, SEED)
                return func(model, x)

        with self.fixed_seed():
            return self.plain_loop(
                from_the_same_seed, self.models, minibatches, numbers=ERROR_SAMPLES, draws=draws, rounding=rounding
            )

    def ensemble(self) -> Ensemble:
        """Return the implementation's stack. Raises ValueError if it refuses members that are not alike."""
        try:
            return Ensemble(self.implementation, self.models)
        except Exception as error:
            unlike = self.unlike()
            if unlike is None:
                raise
            raise ValueError(f"the members are not alike: {unlike} ({describe_error(error)})") from error

    def unlike(self) -> str | None:
        """Return the first difference between members in the classes, names and shapes of what is stacked, or None."""
        first, *others = [_layout(model) for model in self.models]
        for i, other in enumerate(others, start=1):
            for what in first | other:
                here, there = (each.get(what, "missing") for each in (first, other))
                if here != there:
                    return f"{what} is {there} in member {i}, {here} in member 0"
        return None

    @property
    def stacked_minibatches(self) -> tuple[Any, ...]:
        """The stacked minibatches, each tensor of shape (members, *shape) unless it is shared.

        Raises PlainLoopError if sizes differ.
        """
        if self.has_ragged_minibatches:
            raise PlainLoopError("the minibatches of the members have different sizes")
        return stack_minibatches(self.minibatches)

    @property
    def has_ragged_minibatches(self) -> bool:
        """True if the members' minibatches differ in a size, so that no tensor holds them all."""
        return len({_sizes(x) for x in self.minibatches}) > 1

    def run_ensemble(self, func: Callable[..., Any], ensemble: Ensemble, x: tuple[Any, ...], **options: Any) -> Any:
        """Map `func(params, buffers, x)` over the members with the same seed as in `run_loop`; `options` are vmap's.

        Every tensor of `x` is mapped over dimension 0, unless it is shared or `in_dims` says otherwise.
        """
        with self.fixed_seed():
            return self.map_members(func, ensemble, x, **options)

    def map_members(self, func: Callable[..., Any], ensemble: Ensemble, x: tuple[Any, ...], **options: Any) -> Any:
        """Map as `run_ensemble` does, but draw from the generators as they are."""
        options = {"in_dims": (0, 0, mapped_dims(x)), "randomness": self.randomness} | options
        return self.implementation.vmap(func, **options)(ensemble.params, ensemble.buffers, x)


def _sizes(x: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(leaf.shape)) for name, leaf in own_leaves(x) if isinstance(leaf, Tensor))


def _layout(model: nn.Module) -> dict[str, Any]:
    """Return the class of the model, and the shape of each parameter and buffer by name."""
    return {"the class": type_name(model)} | {name: tuple(each.shape) for name, each in state_of(model).items()}


def _copied(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, Tensor) else leaf
