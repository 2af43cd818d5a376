"""Does the ensemble use and update the statistics of each member in train and eval mode?"""

import pytest

from conformance.cases.data import OWN_AND_SHARED, SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet
from conformance.implementations.ensemble import name_tensors
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, unchanged
from conformance.numerics.plain_loop import loop
from conformance.workloads.forward import clone_state, forward_without_grad


@pytest.mark.requirement("forward.eval_mode")
def test_eval_mode_uses_the_statistics_of_each_member_and_leaves_them(implementation, device, dtype):
    models = [model.eval() for model in members(NormNet, MEMBERS, device=device, dtype=dtype)]
    minibatch = draw(SAMPLES, 3, device=device, dtype=dtype)
    fmodel, params, buffers = implementation.combine(models)
    before = clone_state(buffers)

    with unchanged(*models):
        out = implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, minibatch)

    assert_distinct(*out)
    assert_members_close(out, loop(forward_without_grad, models, [minibatch] * MEMBERS))
    assert_same(buffers, before, "buffer")


@pytest.mark.requirement("forward.train_mode")
@pytest.mark.parametrize("in_dim", **OWN_AND_SHARED)
def test_train_mode_updates_the_statistics_of_each_member(implementation, device, dtype, in_dim):
    models = [model.train() for model in members(NormNet, MEMBERS, device=device, dtype=dtype)]
    for model in models:
        model.dropout.eval()  # the chapter `randomness` tests dropout
    minibatches = draw(MEMBERS, SAMPLES, 3, device=device, dtype=dtype)
    fmodel, params, buffers = implementation.combine(models)
    before = clone_state(buffers)

    with unchanged(*models):
        given_input = minibatches if in_dim == 0 else minibatches[0]
        out = implementation.vmap(fmodel, in_dims=(0, 0, in_dim))(params, buffers, given_input)

    updated = name_tensors(buffers, list(models[0].named_buffers()))
    for name, old in name_tensors(before, list(models[0].named_buffers())).items():
        assert_distinct(old, updated[name])
    inputs = list(minibatches) if in_dim == 0 else [minibatches[0]] * MEMBERS
    assert_members_close({"output": out, "buffers": updated}, loop(forward_and_buffers, models, inputs), "result")


def forward_and_buffers(model, x):
    return {"output": model(x), "buffers": dict(model.named_buffers())}
