"""A user's model as a case of the checks: copies of its members, and minibatches."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.modules.case import vary
from conformance.checks.calls import call_model
from conformance.checks.subject import SEED
from conformance.model_check.conversion import Conversion, choose_conversion, device_of, input_dtype
from conformance.model_check.equal_members import are_equal_tensors, describe_groups, equal_groups
from conformance.numerics.plain_loop import LoopResult, loop
from conformance.numerics.unconverted_loop import loop_of_copies, loop_of_originals
from conformance.utils.module_state import copy_module, move_module, move_tensor, state_of
from conformance.utils.pytree import is_inexact, tree_map
from conformance.utils.rng import library_states, seeded_libraries

Draw = Callable[[int, torch.device | str, torch.dtype], list[tuple[Any, ...]]]


@dataclass
class LoadedModel:
    """A user's model as a case.

    `made`: the members as they were brought; `draw`: makes minibatches; `origin`: how the members were made, if not by
    a factory. The model is converted to the dtype that a check asks for, unless that changes what it gives: see
    `conversion`.
    """

    name: str
    made: Sequence[nn.Module]
    draw: Draw
    origin: str = ""

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """Return `n` members whose tensors all differ: copies, or if they can't be copied, the members themselves."""
        if not self.conversion.converted:
            return self.own_members(n, device)
        return [move_module(copy_module(model), device, dtype) for model in _first(n, self._distinct)]

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """Return a minibatch for each of `n` members."""
        if not self.conversion.converted:
            return self.own_minibatches(n, device)

        def converted(leaf: Any) -> Any:
            return move_tensor(leaf, device, dtype) if isinstance(leaf, Tensor) else leaf

        return [tree_map(converted, each) for each in self.draw(n, device, dtype)]

    def own_members(self, n: int, device: torch.device | str) -> list[nn.Module]:
        """Return `n` members in their own dtypes."""
        copies = map(copy_module, _first(n, self._distinct)) if self.copied else _first(n, self.made)
        return [move_module(model, device) for model in copies]

    def own_minibatches(self, n: int, device: torch.device | str) -> list[tuple[Any, ...]]:
        """Return a minibatch for each of `n` members in the members' dtype, as they are given."""
        return self.draw(n, device, self._input_dtype)

    @cached_property
    def conversion(self) -> Conversion:
        """The form in which the model is checked. The first access calls the model."""
        # Copied first, because the call may leave something in the model.
        _ = self._distinct
        return choose_conversion(self.made[0], self._draw_one)

    def altered(self, **changes: Any) -> "LoadedModel":
        """Return the model with other members or minibatches, checked in the same form."""
        made = replace(self, **changes)
        made.__dict__ |= {"conversion": self.conversion, "draws_elsewhere": self.draws_elsewhere}
        return made

    @property
    def copied(self) -> bool:
        """True if the checks use copies of the members."""
        return self.conversion.copied

    @cached_property
    def draws_elsewhere(self) -> bool:
        """True if a call draws from a global generator of Python or NumPy; False for a model that does not run."""
        with seeded_libraries(SEED):
            before = library_states()
            with suppress(Exception):
                call_model(copy_module(self.made[0]), self._draw_one(self._input_dtype))
            after = library_states()
        return any(after[name] != state for name, state in before.items())

    def plain_loop(self, *args: Any, **options: Any) -> LoopResult:
        """Run the plain loop in the form in which the model is checked; see `numerics.plain_loop.loop`.

        Raises PlainLoopError.
        """
        if self.conversion.converted:
            return loop(*args, **options)
        return (loop_of_copies if self.copied else loop_of_originals)(*args, **options)

    @cached_property
    def equal(self) -> list[str]:
        """The names of inexact parameters and buffers that are equal in two members."""
        states = [state_of(model) for model in self.made]
        return [
            name
            for name, first in states[0].items()
            if is_inexact(first)
            and any(
                name in states[i] and name in states[j] and are_equal_tensors(states[i][name], states[j][name])
                for i in range(len(states))
                for j in range(i)
            )
        ]

    @property
    def problem(self) -> str | None:
        """The reason why these members are no useful ensemble, or None."""
        if len({id(model) for model in self.made}) < len(self.made):
            return "the factory returns the same module each time, so that all share one state"
        if [len(group) for group in equal_groups(self.made)] == [len(self.made)]:
            return "all members hold the same numbers, so that their outputs are equal"
        return None

    @property
    def equal_members(self) -> str:
        """The members that hold the same numbers, in a sentence, or an empty string."""
        return describe_groups(equal_groups(self.made))

    @cached_property
    def _input_dtype(self) -> torch.dtype:
        return input_dtype(self.made[0], self._draw_one)

    def _draw_one(self, dtype: torch.dtype) -> tuple[Any, ...]:
        return self.draw(1, device_of(self.made[0]), dtype)[0]

    @cached_property
    def _distinct(self) -> Sequence[nn.Module]:
        """Copies of the members that differ in every tensor, so that members in a wrong order are detected."""
        try:
            copies = [copy_module(model) for model in self.made]
        except Exception:  # noqa: BLE001 - what a member holds may raise anything
            return self.made
        if self.equal:
            # A tensor that can't be varied, such as a sparse one, stays as it is.
            with torch.random.fork_rng(devices=[]), suppress(Exception):
                for model in copies:
                    vary(model)
        return copies


@dataclass(frozen=True)
class OwnDtype:
    """A user's model as a case in its own dtypes, whichever the checks ask for."""

    loaded: LoadedModel

    @property
    def name(self) -> str:
        return self.loaded.name

    @property
    def copied(self) -> bool:
        """True if the checks use copies of the members."""
        return self.loaded.copied

    @property
    def draws_elsewhere(self) -> bool:
        """True if a call draws from a global generator of Python or NumPy."""
        return self.loaded.draws_elsewhere

    def plain_loop(self, *args: Any, **options: Any) -> LoopResult:
        """Run the plain loop as `LoadedModel.plain_loop` does."""
        return self.loaded.plain_loop(*args, **options)

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:  # noqa: ARG002
        """Return `n` members in their own dtypes."""
        return self.loaded.own_members(n, device)

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:  # noqa: ARG002
        """Return a minibatch for each of `n` members in the members' dtype."""
        return self.loaded.own_minibatches(n, device)


def _first(n: int, models: Iterable[nn.Module]) -> Iterable[nn.Module]:
    return islice(cycle(models), n)
