"""The checks as separate tests of pytest, which is imported only where it is needed."""

from collections.abc import Mapping
from typing import Any, Unpack

from conformance.testing.ensemble_checks import EnsembleCheck, make_checks
from conformance.testing.findings import Finding
from conformance.testing.messages import cause_text, excuse
from conformance.testing.settings import Options
from conformance.testing.specifications import Models


class PytestCheck(EnsembleCheck):
    """A check that tells pytest about a failure that is expected."""

    def conclude(self, finding: Finding) -> Finding:
        """Return a finding that passed, and raise an error for any other."""
        __tracebackhide__ = True
        import pytest

        if finding.outcome in ("expected failure", "accepted"):
            pytest.xfail(excuse(finding))
            raise AssertionError(cause_text([finding]))  # with --runxfail, pytest.xfail returns
        return super().conclude(finding)


def parametrize_with_checks(
    models: Models, inputs: Any = None, *, kwargs: Mapping[str, Any] | None = None, **options: Unpack[Options]
) -> Any:
    """Return a pytest mark that runs a test once per requirement and model, with the argument `check`, to call.

    The arguments are those of `ensemble_checks`, and `check` is one of its checks: `check.requirement` and
    `check.model` say which. The id of a test is the requirement, after the id of the model if there are several.
    Requirements that do not apply are skipped with the reason. Expected and accepted failures end as xfailed; with
    ``--runxfail`` they fail.
    """
    import pytest

    checks = make_checks(PytestCheck, models, inputs, kwargs, **options)
    return pytest.mark.parametrize("check", [pytest.param(check, id=check.id) for check in checks])
