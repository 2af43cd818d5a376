"""All checks of a model in one call."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import torch

from conformance.cases.members import MEMBERS
from conformance.implementations.protocol import Implementation
from conformance.testing.ensemble_checks import EnsembleCheck, make_checks
from conformance.testing.findings import Finding
from conformance.testing.messages import excuse, failure_text
from conformance.testing.model import Factory
from conformance.utils.suggestions import invalid_choice

__unittest = True  # unittest leaves the frames of this module out of tracebacks

NO_FAILURES: Mapping[str, str] = MappingProxyType({})
ON_FAIL = ("raise", "warn", "None")
ON_SKIP = ("warn", "None")


class EnsembleWarning(UserWarning):
    """A failure or a requirement that was not judged, where the caller asked for a warning."""


def check_ensemble(
    factory: Factory,
    inputs: Any,
    *,
    kwargs: Mapping[str, Any] | None = None,
    members: int = MEMBERS,
    batch: int | None = None,
    dtype: torch.dtype | None = None,
    seed: int = 0,
    mode: Literal["train", "eval"] | None = None,
    expected_failures: Mapping[str, str] = NO_FAILURES,
    accept: Collection[str] = (),
    only: Collection[str] = (),
    skip: Collection[str] = (),
    implementation: Implementation | None = None,
    device: torch.device | str = "cpu",
    on_fail: Literal["raise", "warn"] | None = "raise",
    on_skip: Literal["warn"] | None = None,
    callback: Callable[[Finding], Any] | None = None,
) -> list[Finding]:
    """Check that an ensemble of members made by `factory` meets the requirements of the chapter `modules`.

    `factory()` returns a new module with its own random parameters, which must support float64, or the given `dtype`.
    `inputs` are forward's positional arguments, and `kwargs` its keyword arguments. Each is, or has nested in tuples,
    lists and dicts,

    - an Input such as `floats(samples, features)`: each member gets a minibatch of other numbers,
    - a plain tensor with samples in dimension 0, such as a part of your data: each member gets other samples of it,
      `batch` many, or all in another order; tensors with as many samples as the first one are cut alike, and other
      tensors are the same for all members,
    - `fixed(tensor)`, or a value that is no tensor: the same for all members.

    A single tensor or Input as `inputs` is the only positional argument.

    `members`: their number, at least 2. `seed`: the random numbers of factory and inputs depend on it alone, and the
    caller's random state does not change. `mode`: "train", "eval", or None for that in which the factory returns its
    modules. `dtype`: None for the most precise of the device. `implementation`: None for torch.func.

    `expected_failures` maps requirements that are known to fail to the reason. It is strict: such a requirement must
    not pass. `accept` has the ids of requirements that may fail and need not, or of known failures of torch that may
    show (`conformance reproduce` lists them). `only` and `skip` select requirements.

    `on_fail`: "raise", "warn" or None. `on_skip`: "warn" or None, for what does not apply or fails without consequence.
    `callback` is called with each finding as soon as there is one.

    Returns the findings, one for each requirement in the order of the chapter.

    Raises AssertionError with each cause of failure once: its requirements, the operation, module and line where it is,
    and suggested fixes. A model that does not run by itself fails. Raises ValueError for an unknown id, an empty
    reason, an invalid value, or if two members have the same state, and TypeError for an argument of a wrong type.
    """
    __tracebackhide__ = True
    _validate("on_fail", on_fail, ON_FAIL)
    _validate("on_skip", on_skip, ON_SKIP)
    checks = make_checks(
        EnsembleCheck,
        factory,
        inputs,
        kwargs,
        batch=batch,
        mode=mode,
        seed=seed,
        members=members,
        dtype=dtype,
        expected_failures=expected_failures,
        accept=accept,
        only=only,
        skip=skip,
        implementation=implementation,
        device=device,
    )
    findings = [_run(check, callback) for check in checks]
    text = _problem(checks[0], findings)
    skipped = [excuse(each) for each in findings if each.outcome not in ("passed", "failed")]
    if on_skip == "warn" and skipped:
        warnings.warn("\n".join(skipped), EnsembleWarning, stacklevel=2)
    if on_fail == "warn" and text:
        warnings.warn(text, EnsembleWarning, stacklevel=2)
    if on_fail == "raise" and text:
        raise AssertionError(text)
    return findings


def _run(check: EnsembleCheck, callback: Callable[[Finding], Any] | None) -> Finding:
    finding = check.run()
    if callback is not None:
        callback(finding)
    return finding


def _problem(check: EnsembleCheck, findings: Sequence[Finding]) -> str | None:
    """Return the text of the failures, or None; that nothing was judged is one too."""
    failed = [each for each in findings if each.outcome == "failed"]
    if failed:
        return failure_text(check.model, check.settings, failed)
    if all(each.outcome == "skipped" for each in findings):
        return "\n".join([f"{check.model.name}: no requirement applies:", *map(excuse, findings)])
    return None


def _validate(option: str, value: str | None, valid: Sequence[str]) -> None:
    if str(value) not in valid:
        raise ValueError(f"{option}: {invalid_choice(str(value), valid)}")
