"""Settings of a run: how the checks run, which requirements are asked, and which of them may fail."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import torch

from conformance.cases.members import MEMBERS
from conformance.checks.model_checks import CHECKS
from conformance.diagnosis.known_reproducers import reproducer_paths
from conformance.implementations.protocol import Implementation
from conformance.implementations.torch_func import TorchFunc
from conformance.utils.suggestions import did_you_mean

REQUIREMENTS = tuple(f"modules.{name}" for name in CHECKS)
# Without it, a model that does not run at all would pass every check.
PLAIN = REQUIREMENTS[0]
ExpectedFailures = Mapping[str, str] | Callable[[str], Mapping[str, str]]
FEWEST_MEMBERS = 2  # what one member gets wrong must not reach another


class Options(TypedDict, total=False):
    """The options that all functions of this package share; `check_ensemble` explains them."""

    members: int
    batch: int | None
    dtype: torch.dtype | None
    seed: int
    mode: str | None
    expected_failures: ExpectedFailures
    accept: Collection[str]
    only: Collection[str]
    skip: Collection[str]
    implementation: Implementation | None
    device: torch.device | str


@dataclass(frozen=True)
class Settings:
    """The settings of a run; `check_ensemble` explains them. Raises ValueError for an unknown name or invalid value."""

    members: int = MEMBERS
    dtype: torch.dtype | None = None
    expected_failures: ExpectedFailures = field(default_factory=dict)
    accept: Collection[str] = ()
    only: Collection[str] = ()
    skip: Collection[str] = ()
    implementation: Implementation | None = None
    device: torch.device | str = "cpu"

    def __post_init__(self) -> None:
        if self.members < FEWEST_MEMBERS:
            raise ValueError(f"members: expected at least {FEWEST_MEMBERS}, got {self.members}")
        if self.dtype is not None and not self.dtype.is_floating_point:
            raise ValueError(f"dtype: expected a floating dtype, got {self.dtype}")
        _validate_names("accept", self.accept, reproducer_paths())
        _validate_names("only", self.only)
        _validate_names("skip", self.skip)

    @property
    def under_test(self) -> Implementation:
        """The implementation that runs the ensemble."""
        return self.implementation or TorchFunc()

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements to check, in the order of the chapter. Raises ValueError if none is left."""
        asked = tuple(each for each in REQUIREMENTS if (not self.only or each in self.only) and each not in self.skip)
        if not asked:
            raise ValueError("only, skip: they leave no requirement to check")
        return asked

    def expected_of(self, model: str) -> Mapping[str, str]:
        """Return the expected failures of a model. Raises ValueError for an unknown requirement or an empty reason."""
        expected = self.expected_failures(model) if callable(self.expected_failures) else self.expected_failures
        _validate_names("expected_failures", expected)
        for requirement, reason in expected.items():
            if not reason.strip():
                raise ValueError(f"expected_failures: the reason for {requirement} is empty")
        return expected


def _validate_names(option: str, names: Iterable[str], also: Collection[str] = ()) -> None:
    if isinstance(names, str):
        raise TypeError(f"{option}: expected a collection of ids, got the string {names!r}")
    valid = [*REQUIREMENTS, *also]
    for name in names:
        if name not in valid:
            near = did_you_mean(name, valid) or did_you_mean(f"modules.{name}", valid)
            kind, more = ("id", ", or a known failure") if also else ("requirement", "")
            listed = f"(choose from {', '.join(REQUIREMENTS)}{more})"
            raise ValueError(f"{option}: unknown {kind} {name!r}{near} {listed}")
