"""Checks for your own test suite: can this model be ensembled, and does the ensemble match its members?

No conftest.py, plugin or option of this package is needed. One call runs all checks:

    from conformance.testing import check_ensemble, floats

    check_ensemble(lambda: torch.nn.Linear(3, 2), [floats(7, 3)])

With pytest, each requirement can be a separate test. A known failure is marked as expected, with its reason:

    @parametrize_with_checks(make_model, [floats(7, 3)], expected_failures={"modules.meta_base": "it ties weights"})
    def test_my_model_can_be_ensembled(check):
        check()

The requirements are those of the chapter `modules` (conformance/spec/modules.toml).
"""

import difflib
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
ACCEPTABLE = (Outcome.RIGHT, Outcome.NOT_APPLICABLE)
NO_FAILURES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Model:
    """A user's model: `factory` makes a member, and `inputs` are forward's positional arguments."""

    factory: Factory
    inputs: Sequence[Any]
    name: str = "model"

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """Return `n` modules; raise ValueError if two of them are the same module or have the same state."""
        return members(self.factory, n, device=device, dtype=dtype)

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """Return a minibatch for each of `n` members."""
        return draw_minibatches(tuple(self.inputs), n, device, dtype)


def check_ensemble(
    factory: Factory,
    inputs: Sequence[Any],
    *,
    expected_failures: Mapping[str, str] = NO_FAILURES,
    implementation: Implementation | None = None,
    device: torch.device | str = "cpu",
) -> None:
    """Check that an ensemble of five members made by `factory` meets every requirement of the chapter `modules`.

    `factory()` returns a new module with its own random parameters, which must support float64. `inputs` are forward's
    positional arguments: Inputs such as `floats(samples, features)`, or values that all members share, such as None.
    `expected_failures` maps the ids of requirements that are known to fail to the reason; such a requirement must not
    pass. The default `implementation` is torch.func.

    Raises AssertionError with one line per failing requirement. Raises ValueError if `expected_failures` has an unknown
    id or an empty reason, or if two members have the same state.
    """
    _validate(expected_failures)
    model = Model(factory, inputs)
    findings = {each: _run(each, model, implementation, device) for each in REQUIREMENTS}
    problems = [_problem(each, found, expected_failures.get(each)) for each, found in findings.items()]
    lines = [each for each in problems if each]
    assert not lines, "\n".join(["the ensemble does not match its members:", *lines])


def parametrize_with_checks(
    factory: Factory,
    inputs: Sequence[Any],
    *,
    expected_failures: Mapping[str, str] = NO_FAILURES,
    implementation: Implementation | None = None,
    device: torch.device | str = "cpu",
) -> Any:
    """Return a pytest mark that runs a test once per requirement, with the argument `check`, a function to call.

    The arguments are those of `check_ensemble`. Requirements that do not apply to the model are skipped with a reason.
    """
    import pytest

    _validate(expected_failures)
    model = Model(factory, inputs)

    def make_check(requirement: str) -> Callable[[], None]:
        expected = expected_failures.get(requirement)

        def check() -> None:
            found = _run(requirement, model, implementation, device)
            problem = _problem(requirement, found, expected)
            assert not problem, problem
            if expected:
                pytest.xfail(f"{expected} ({found.message})")
            if found.status is Outcome.NOT_APPLICABLE:
                pytest.skip(found.message)

        return check

    return pytest.mark.parametrize("check", [pytest.param(make_check(each), id=each) for each in REQUIREMENTS])


def _validate(expected_failures: Mapping[str, str]) -> None:
    for requirement, reason in expected_failures.items():
        if requirement not in REQUIREMENTS:
            raise ValueError(_unknown_requirement(requirement))
        if not reason.strip():
            raise ValueError(f"expected_failures: the reason for {requirement} is empty")


def _unknown_requirement(name: str) -> str:
    near = difflib.get_close_matches(name, REQUIREMENTS, 1, 0)
    names = ", ".join(REQUIREMENTS)
    return f"expected_failures: unknown requirement {name!r}; did you mean {near[0]!r}? (choose from {names})"


def _run(
    requirement: str, model: Model, implementation: Implementation | None, device: torch.device | str
) -> CheckResult:
    return run_check(CHECKS[requirement.removeprefix("modules.")], model, implementation or TorchFunc(), device)


def _problem(requirement: str, found: CheckResult, expected: str | None) -> str | None:
    """Return the problem with a result in one line, or None."""
    if expected and found.status in ACCEPTABLE:
        return f"{requirement}: expected to fail ({expected}), but it is {found.status.value}"
    if expected or found.status is Outcome.RIGHT:
        return None
    # Without this, a model that does not run at all would pass every check.
    if found.status is Outcome.NOT_APPLICABLE and requirement != REQUIREMENTS[0]:
        return None
    return f"{requirement}: {found.status.value}: {found.message}"
