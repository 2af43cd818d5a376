"""Checks for your own test suite: can this model be ensembled, and does the ensemble match its members?

No conftest.py, plugin or option of this package is needed. One call runs all checks:

    from conformance.testing import check_ensemble, floats

    check_ensemble(lambda: torch.nn.Linear(3, 2), [floats(7, 3)])

With pytest, each requirement can be a separate test. A known failure is marked as expected, with its reason:

    @parametrize_with_checks(make_model, [floats(7, 3)], expected_failures={"modules.meta_base": "it ties weights"})
    def test_my_model_can_be_ensembled(check):
        check()

With unittest, or in any other way, the checks are called one by one:

    for check in ensemble_checks(make_model, [floats(7, 3)]):
        with self.subTest(str(check)):
            check()

The requirements are those of the chapter `modules` (conformance/spec/modules.toml).
"""

from conformance.cases.inputs import (
    Input,
    booleans,
    distributions,
    fixed,
    floats,
    integers,
    log_distributions,
    positives,
    signs,
)
from conformance.testing.check_ensemble import EnsembleWarning, check_ensemble
from conformance.testing.ensemble_checks import EnsembleCheck, ensemble_checks
from conformance.testing.findings import Finding
from conformance.testing.model import Model
from conformance.testing.parametrize import parametrize_with_checks
from conformance.testing.settings import REQUIREMENTS

__all__ = [
    "REQUIREMENTS",
    "EnsembleCheck",
    "EnsembleWarning",
    "Finding",
    "Input",
    "Model",
    "booleans",
    "check_ensemble",
    "distributions",
    "ensemble_checks",
    "fixed",
    "floats",
    "integers",
    "log_distributions",
    "parametrize_with_checks",
    "positives",
    "signs",
]
