"""Are outputs and gradients those that NumPy computes?"""

from dataclasses import replace

import pytest
import torch

from conformance.cases import golden
from conformance.implementations.ensemble import name_tensors
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.utils.pytree import tree_map
from conformance.workloads.forward import ensemble_forward, forward_without_grad


@pytest.mark.requirement("forward.golden_logits")
@pytest.mark.parametrize("size", golden.SIZES)
def test_logits_are_those_of_numpy(implementation, device, dtype, size):
    case = golden.load_golden_cases(size, device=device, dtype=dtype)
    expected = replace(loop(forward_without_grad, case.models, list(case.minibatches)), truth=case.logits)

    out = ensemble_forward(implementation, case.models, case.minibatches)

    assert_distinct(*out)
    assert_members_close(torch.stack(list(expected.values)), expected, "logits of the loop")
    assert_members_close(out, expected, "logits of the ensemble")


@pytest.mark.requirement("forward.golden_gradients")
@pytest.mark.parametrize("size", golden.SIZES)
def test_gradients_are_those_of_numpy(implementation, device, size):
    # Only in float64: float32 may round an activation to the other side of a ReLU's kink.
    case = golden.load_golden_cases(size, device=device, dtype=torch.float64)
    inputs = [{"x": x, "weights": weights} for x, weights in zip(case.minibatches, case.loss_weights, strict=True)]
    expected = replace(loop(golden_gradients_of_one, case.models, inputs), truth=case.gradients)
    named = list(case.models[0].named_parameters())
    fmodel, params, buffers = implementation.combine(case.models)
    leaves = [tensor.requires_grad_() for tensor in name_tensors(params, named).values()]

    out = implementation.vmap(fmodel)(params, buffers, case.minibatches)
    grads = torch.autograd.grad((out * case.loss_weights).sum(), leaves)

    gradients = dict(zip([name for name, _ in named], grads, strict=True))
    summaries = [golden.summarize({name: g[i] for name, g in gradients.items()}) for i in range(len(case.models))]
    assert_members_close(tree_map(lambda *each: torch.stack(each), *expected.values), expected, "gradient of the loop")
    assert_members_close(tree_map(lambda *each: torch.stack(each), *summaries), expected, "gradient of the ensemble")


def golden_gradients_of_one(model, given):
    named = dict(model.named_parameters())
    grads = torch.autograd.grad((model(given["x"]) * given["weights"]).sum(), list(named.values()))
    return golden.summarize(dict(zip(named, grads, strict=True)))
