"""A user's model as a case of the checks: copies of its members, and minibatches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.modules.case import vary
from conformance.model_check.equal_members import describe_groups, equal_groups
from conformance.utils.module_state import copy_module, move_module, state_of
from conformance.utils.pytree import is_inexact


@dataclass
class LoadedModel:
    """A user's model as a case.

    `made`: the members as they were brought; `draw`: makes minibatches; `origin`: how the members were made, if not by
    a factory.
    """

    name: str
    made: Sequence[nn.Module]
    draw: Callable[[int, torch.device | str, torch.dtype], list[tuple[Any, ...]]]
    origin: str = ""

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """Return `n` copies of the members; every tensor differs between members."""
        return [move_module(copy_module(model), device, dtype) for model in islice(cycle(self._distinct), n)]

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """Return a minibatch for each of `n` members."""
        return self.draw(n, device, dtype)

    @cached_property
    def equal(self) -> list[str]:
        """The names of inexact parameters and buffers that are equal in two members."""
        states = [state_of(model) for model in self.made]
        return [
            name
            for name, first in states[0].items()
            if is_inexact(first)
            and any(_equal_numbers(states[i], states[j], name) for i in range(len(states)) for j in range(i))
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
    def _distinct(self) -> list[nn.Module]:
        """Copies of the members that differ in every tensor, so that members in a wrong order are detected."""
        copies = [copy_module(model) for model in self.made]
        if self.equal:
            with torch.random.fork_rng(devices=[]):
                for model in copies:
                    vary(model)
        return copies


def _equal_numbers(one: dict[str, Tensor], other: dict[str, Tensor], name: str) -> bool:
    return name in other and one[name].shape == other[name].shape and torch.equal(one[name], other[name])
