"""For people's own test suites: can this model be ensembled, and is the ensemble right?

It needs nothing else of this package: no conftest.py, no plugin, no option. One call asks everything:

    from conformance.testing import check_ensemble, floats

    check_ensemble(lambda: torch.nn.Linear(3, 2), [floats(7, 3)])

With pytest each requirement is a test of its own, and what is known to fail is expected to, with the reason:

    @parametrize_with_checks(make_model, [floats(7, 3)], expected_failures={"modules.meta_base": "it ties weights"})
    def test_my_model_can_be_ensembled(check):
        check()

The requirements are those of the chapter `modules` (conformance/spec/modules.toml).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from conformance.cases.inputs import (
    Input,
    booleans,
    distributions,
    draw_minibatches,
    fixed,
    floats,
    integers,
    log_distributions,
    positives,
    signs,
)
from conformance.cases.members import members
from conformance.checks.model_checks import CHECKS
from conformance.checks.outcome import CheckResult, Outcome, run_check
from conformance.implementations.protocol import Implementation
from conformance.implementations.torch_func import TorchFunc

__all__ = [
    "Input",
    "booleans",
    "check_ensemble",
    "distributions",
    "fixed",
    "floats",
    "integers",
    "log_distributions",
    "parametrize_with_checks",
    "positives",
    "signs",
]

Factory = Callable[[], nn.Module]
REQUIREMENTS = tuple(f"modules.{name}" for name in CHECKS)
FINE = (Outcome.RIGHT, Outcome.NOT_APPLICABLE)
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Model:
    """Somebody's model: `factory` makes a member, and each Input one of forward's positional arguments."""

    factory: Factory
    inputs: Sequence[Any]
    name: str = "model"

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """`n` modules; ValueError if two of them are the same, or hold the same numbers."""
        return members(self.factory, n, device=device, dtype=dtype)

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """A minibatch for each of `n` members."""
        return draw_minibatches(tuple(self.inputs), n, device, dtype)


def check_ensemble(
    factory: Factory,
    inputs: Sequence[Any],
    *,
    expected_failures: Mapping[str, str] = NOTHING,
    implementation: Implementation | None = None,
    device: torch.device | str = "cpu",
) -> None:
    """Ask all that an ensemble of models has to do, of five members that `factory` makes.

    `factory()` makes a new module with numbers of its own, that computes in float64 too. `inputs` are forward's
    positional arguments: `floats(samples, features)` and its kin, or what is the same for all members, such as None.
    `expected_failures` are the requirements that are known to fail, each with its reason; one that does not fail is a
    failure. `implementation` is torch.func unless another one is given.

    Raises AssertionError with a line for each requirement that fails, ValueError if the expectations make no sense or
    the members do not differ.
    """
    _make_sense(expected_failures)
    model = Model(factory, inputs)
    findings = {each: _ask(each, model, implementation, device) for each in REQUIREMENTS}
    problems = [_problem(each, found, expected_failures.get(each)) for each, found in findings.items()]
    said = [each for each in problems if each]
    assert not said, "\n".join(["the ensemble is not what its members are:", *said])


def parametrize_with_checks(
    factory: Factory,
    inputs: Sequence[Any],
    *,
    expected_failures: Mapping[str, str] = NOTHING,
    implementation: Implementation | None = None,
    device: torch.device | str = "cpu",
) -> Any:
    """A pytest mark: the test gets each requirement as `check`, a function to call. The rest is as in `check_ensemble`.

    What the plain model can't do is skipped, with the reason.
    """
    import pytest

    _make_sense(expected_failures)
    model = Model(factory, inputs)

    def of(requirement: str) -> Callable[[], None]:
        expected = expected_failures.get(requirement)

        def check() -> None:
            found = _ask(requirement, model, implementation, device)
            problem = _problem(requirement, found, expected)
            assert not problem, problem
            if expected:
                pytest.xfail(f"{expected} ({found.message})")
            if found.status is Outcome.NOT_APPLICABLE:
                pytest.skip(found.message)

        return check

    return pytest.mark.parametrize("check", [pytest.param(of(each), id=each) for each in REQUIREMENTS])


def _make_sense(expected_failures: Mapping[str, str]) -> None:
    for requirement, reason in expected_failures.items():
        if requirement not in REQUIREMENTS:
            raise ValueError(f"{requirement!r} is no requirement; there are {', '.join(REQUIREMENTS)}")
        if not reason.strip():
            raise ValueError(f"the expected failure of {requirement} has no reason")


def _ask(
    requirement: str, model: Model, implementation: Implementation | None, device: torch.device | str
) -> CheckResult:
    return run_check(CHECKS[requirement.removeprefix("modules.")], model, implementation or TorchFunc(), device)


def _problem(requirement: str, found: CheckResult, expected: str | None) -> str | None:
    """What is not as it should be, in one line, or None."""
    if expected and found.status in FINE:
        return f"{requirement}: is expected to fail ({expected}), and is {found.status.value}"
    if expected or found.status is Outcome.RIGHT:
        return None
    # A model that does not run by itself would pass every check for want of an answer.
    if found.status is Outcome.NOT_APPLICABLE and requirement != REQUIREMENTS[0]:
        return None
    return f"{requirement}: {found.status.value}: {found.message}"
