"""Does the ensemble compute the same outputs as its members?"""

import copy
import math
from functools import cache

import pytest
import torch

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.numerics.plain_loop import as_float64_result, loop
from conformance.reference.simple_cnn import SimpleCNN, small_cnn
from conformance.workloads.forward import clone_state, ensemble_forward, forward_without_grad, images


@pytest.mark.requirement("forward.own_minibatch")
def test_each_member_answers_for_its_own_minibatch(implementation, device, dtype):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatches = images(MEMBERS, SAMPLES, 1, dtype=dtype, device=device)

    out = ensemble_forward(implementation, models, minibatches)

    assert_distinct(*out)
    assert_members_close(out, loop(forward_without_grad, models, list(minibatches)))


@pytest.mark.requirement("forward.shared_minibatch")
@pytest.mark.parametrize("samples", [SAMPLES, MEMBERS], ids=["seven-samples", "as-many-samples-as-members"])
def test_every_member_answers_for_the_shared_minibatch(implementation, device, dtype, samples):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatch = images(samples, 1, dtype=dtype, device=device)

    out = ensemble_forward(implementation, models, minibatch, in_dim=None)

    assert_distinct(*out)
    assert_members_close(out, loop(forward_without_grad, models, [minibatch] * MEMBERS))


@cache
def original_example(device, dtype, *, shared):
    """Return the tutorial's ten models, their minibatches and the loop's result, from the tutorial's seed."""
    if dtype == torch.float64:
        models, minibatches, answer = original_example(device, torch.float32, shared=shared)
        doubled = [copy.deepcopy(model).double() for model in models]
        return doubled, minibatches.double(), as_float64_result(answer)
    torch.manual_seed(0)
    models = [SimpleCNN().to(device) for _ in range(10)]
    minibatches = torch.randn(100, 64, 1, 28, 28)[:10].to(device)
    inputs = [minibatches[0]] * 10 if shared else list(minibatches)
    return models, minibatches, loop(forward_without_grad, models, inputs)


@pytest.mark.original
@pytest.mark.requirement("forward.own_minibatch")
def test_the_original_example_with_a_minibatch_for_each_of_ten_models(implementation, device, dtype):
    models, minibatches, expected = original_example(device, dtype, shared=False)

    out = ensemble_forward(implementation, models, minibatches)

    assert out.shape == (10, 64, 10)
    assert_members_close(out, expected)


@pytest.mark.original
@pytest.mark.requirement("forward.shared_minibatch")
def test_the_original_example_with_one_minibatch_for_all_ten_models(implementation, device, dtype):
    models, minibatches, expected = original_example(device, dtype, shared=True)

    out = ensemble_forward(implementation, models, minibatches[0], in_dim=None)

    assert out.shape == (10, 64, 10)
    assert_members_close(out, expected)


@pytest.mark.requirement("forward.member_order")
def test_reordered_members_give_reordered_outputs(implementation, device, dtype):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatch = images(SAMPLES, 1, dtype=dtype, device=device)
    order = [2, 4, 1, 0, 3]  # no member stays, and it is not its own inverse
    reordered = [models[i] for i in order]

    out = ensemble_forward(implementation, models, minibatch, in_dim=None)
    reordered_out = ensemble_forward(implementation, reordered, minibatch, in_dim=None)

    assert_distinct(*out)
    assert_members_close(out, loop(forward_without_grad, models, [minibatch] * MEMBERS))
    assert_members_close(reordered_out, loop(forward_without_grad, reordered, [minibatch] * MEMBERS))


@pytest.mark.requirement("forward.isolation")
@pytest.mark.parametrize("value", [3.0, math.nan, math.inf], ids=["finite", "nan", "inf"])
@pytest.mark.parametrize("where", ["state", "minibatch"])
def test_what_one_member_holds_reaches_no_other(implementation, device, where, value):
    models = members(small_cnn, MEMBERS, device=device)
    minibatches = images(MEMBERS, SAMPLES, 1, device=device)
    before = ensemble_forward(implementation, models, minibatches)

    with torch.no_grad():
        models[2].conv1.weight.fill_(value) if where == "state" else minibatches[2].fill_(value)
    after = ensemble_forward(implementation, models, minibatches)

    assert_distinct(before[2], after[2])
    for i in (0, 1, 3, 4):
        assert_same(after[i], before[i], f"output of member {i}")


@pytest.mark.requirement("forward.state_of_the_call")
def test_a_later_call_answers_for_its_own_state_and_minibatch(implementation, device):
    first, second = members(small_cnn, 2 * MEMBERS, device=device)[::2], members(small_cnn, MEMBERS, device=device)
    minibatches = images(2, MEMBERS, SAMPLES, 1, device=device)
    fmodel, params, buffers = implementation.combine(first)
    _, other_params, other_buffers = implementation.combine(second[::-1])
    mapped = implementation.vmap(fmodel)

    mapped(params, buffers, minibatches[0])
    other_state = mapped(other_params, other_buffers, minibatches[0])
    other_minibatch = mapped(params, buffers, minibatches[1])

    assert_distinct(*other_state, *other_minibatch)
    assert_members_close(other_state, loop(forward_without_grad, second[::-1], list(minibatches[0])))
    assert_members_close(other_minibatch, loop(forward_without_grad, first, list(minibatches[1])))


@pytest.mark.requirement("forward.arguments_unchanged")
def test_a_forward_pass_writes_to_none_of_its_arguments(implementation, device):
    models = [model.eval() for model in members(NormNet, MEMBERS, device=device)]
    minibatch = draw(SAMPLES, 3, device=device)
    fmodel, params, buffers = implementation.combine(models)
    arguments = {
        "params": dict(params) if isinstance(params, dict) else params,
        "buffers": dict(buffers) if isinstance(buffers, dict) else buffers,
        "minibatch": minibatch,
    }
    before = {"params": clone_state(params), "buffers": clone_state(buffers), "minibatch": minibatch.clone()}

    implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, minibatch)

    assert_same(arguments, before, "argument")
    assert_same({"params": params, "buffers": buffers, "minibatch": minibatch}, before, "argument")
