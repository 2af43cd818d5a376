"""A user's model as a case of the checks: members from a factory, made once, and their minibatches."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from conformance.cases.members import members
from conformance.model_check.failure_location import FailureLocation
from conformance.model_check.loaded_model import LoadedModel
from conformance.testing.minibatches import arguments_of, count_samples, member_minibatches
from conformance.utils.suggestions import invalid_choice

Factory = Callable[[], nn.Module]
MODES = ("train", "eval")
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Model:
    """A user's model: `factory` makes a member, and `inputs` and `kwargs` are forward's arguments.

    `batch`: samples in each minibatch that is cut out of plain tensors. `mode`: "train", "eval", or None for the mode
    in which the factory returns the members. The members and their numbers depend on `seed` alone.
    """

    factory: Factory
    inputs: Any
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    name: str = "model"
    batch: int | None = None
    mode: str | None = None
    seed: int = 0
    # Memoized: the members by their number, and the locations of failures by their message.
    _loaded: dict[int, LoadedModel] = field(default_factory=dict, init=False, repr=False, compare=False)
    locations: dict[str, FailureLocation] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.factory, nn.Module) or not callable(self.factory):
            raise TypeError(
                f"factory: expected a function or class that returns a new module, got {type(self.factory).__name__}"
            )
        if self.mode is not None and self.mode not in MODES:
            raise ValueError(f"mode: {invalid_choice(self.mode, MODES)}")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed: expected 0 to 2**63 - 1, got {self.seed}")
        count_samples(arguments_of(self.inputs, self.kwargs), self.batch)

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """Return `n` modules; raise ValueError if two of them are the same module or have the same state."""
        with seeded(self.seed):
            return self.loaded(n).members(n, device=device, dtype=dtype)

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """Return a minibatch for each of `n` members."""
        return self._draw(n, device, dtype)

    def loaded(self, n: int) -> LoadedModel:
        """Return the case of `n` members, which are made at the first call. Raises what the factory raises."""
        if n not in self._loaded:
            with seeded(self.seed):
                made = members(self._make, n, seed=self.seed)
            self._loaded[n] = LoadedModel(self.name, made, self._draw)
        return self._loaded[n]

    def _draw(self, n: int, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        with seeded(self.seed):
            return member_minibatches(arguments_of(self.inputs, self.kwargs), self.batch, n, device, dtype)

    def _make(self) -> nn.Module:
        made = self.factory()
        if not isinstance(made, nn.Module):
            raise TypeError(f"factory: expected it to return a torch.nn.Module, got {type(made).__name__}")
        return made if self.mode is None else made.train(self.mode == "train")


@contextmanager
def seeded(number: int) -> Iterator[None]:
    """Seed torch's generator on the CPU and Python's, and restore their states afterwards."""
    kept = random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(number)
            random.seed(number)
            yield
    finally:
        random.setstate(kept)
