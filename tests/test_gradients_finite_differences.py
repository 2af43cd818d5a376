"""Are derivatives those that finite differences give?"""

from functools import partial

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.members import members
from conformance.implementations.ensemble import Ensemble
from conformance.reference.functional_call import functional_call as reference_functional_call

# torch's own comparisons with finite differences: of backward, of forward mode, and of backward of backward.
CHECKS = {
    "backward": torch.autograd.gradcheck,
    "forward": partial(torch.autograd.gradcheck, check_forward_ad=True, check_backward_ad=False),
    "double": torch.autograd.gradgradcheck,
}


@pytest.mark.requirement("gradients.plain_loop")
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("case", training_cases.SMOOTH, ids=str)
def test_the_derivatives_of_a_plain_module_are_those_of_finite_differences(implementation, device, case, check):
    model = members(case.factory, 1, device=device, dtype=torch.float64)[0]
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    x = case.inputs(2, device=device)

    def outputs(*values):
        return reference_functional_call(model, dict(zip(named, values, strict=True)), x)

    assert CHECKS[check](outputs, tuple(named.values()))


@pytest.mark.requirement("gradients.finite_differences")
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_the_derivatives_of_an_ensemble_are_those_of_finite_differences(implementation, device, data, check):
    ensemble = Ensemble(implementation, members(training_cases.TINY.factory, 2, device=device, dtype=torch.float64))
    x = training_cases.TINY.inputs(*([2] if data == 0 else []), 3, device=device).requires_grad_()

    def outputs(x, *values):
        mapped = ensemble.vmap(ensemble.member, in_dims=(0, 0, data))
        return mapped(dict(zip(ensemble.params, values, strict=True)), ensemble.buffers, x)

    inputs = (x, *ensemble.params.values())

    assert all(tensor.requires_grad for tensor in inputs)
    assert CHECKS[check](outputs, inputs)
