"""The checks of one or several models, one by one: for unittest's subTest and other ways to run tests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Unpack
from unittest import SkipTest

from conformance.testing.findings import Finding, find
from conformance.testing.messages import cause_text, excuse
from conformance.testing.model import Model
from conformance.testing.settings import Options, Settings
from conformance.testing.specifications import Models, is_single, models_of

__unittest = True  # unittest leaves the frames of this module out of tracebacks


@dataclass(frozen=True, repr=False)
class EnsembleCheck:
    """One requirement to check for one model. Call it in a test; `str(check)` is its readable id."""

    model: Model
    requirement: str
    settings: Settings
    id: str

    def run(self) -> Finding:
        """Return what the check finds; a failure is no error."""
        reason = self.settings.expected_of(self.model.name).get(self.requirement)
        return find(self.requirement, self.model, self.settings, reason)

    def __call__(self) -> Finding:
        """Run the check. Raises AssertionError if it fails, and SkipTest if it does not apply or may fail and does."""
        __tracebackhide__ = True
        return self.conclude(self.run())

    def conclude(self, finding: Finding) -> Finding:
        """Return a finding that passed, and raise an error for any other."""
        __tracebackhide__ = True
        if finding.outcome == "failed":
            raise AssertionError(cause_text([finding]))
        if finding.outcome != "passed":
            raise SkipTest(excuse(finding))
        return finding

    def __repr__(self) -> str:
        return self.id


def ensemble_checks(
    models: Models, inputs: Any = None, *, kwargs: Mapping[str, Any] | None = None, **options: Unpack[Options]
) -> Iterator[EnsembleCheck]:
    """Return an iterator of checks to call, one for each requirement of each model.

    `models` is a factory, and `inputs` and `kwargs` are its module's arguments; or it has several models, each as
    `(factory, inputs)` or `(factory, inputs, kwargs)`: a mapping from ids to models, or a list of models, whose ids are
    the names of the factories. The options are those of `check_ensemble`. `expected_failures` may also be a function
    that returns the mapping for the id of a model.

    A check raises AssertionError if it fails, and unittest.SkipTest, which pytest understands as well, if the
    requirement does not apply, fails as expected, or fails and is accepted.

    Raises ValueError and TypeError as `check_ensemble` does, before the first check runs.
    """
    return iter(make_checks(EnsembleCheck, models, inputs, kwargs, **options))


def make_checks(
    kind: type[EnsembleCheck],
    models: Models,
    inputs: Any,
    kwargs: Mapping[str, Any] | None,
    *,
    batch: int | None = None,
    mode: str | None = None,
    seed: int = 0,
    **options: Any,
) -> list[EnsembleCheck]:
    """Return the checks of the models as instances of `kind`."""
    settings = Settings(**options)
    checks = []
    for model in models_of(models, inputs, kwargs, batch=batch, mode=mode, seed=seed):
        settings.expected_of(model.name)  # a mistake in it is reported before anything runs
        prefix = "" if is_single(models) else f"{model.name}-"
        checks += [kind(model, each, settings, f"{prefix}{each}") for each in settings.requirements]
    return checks
