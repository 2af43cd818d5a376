"""Does the ensemble compute what its members compute?"""

import copy
import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.cases import golden
from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet, colour_cnn
from conformance.implementations.ensemble import by_name
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, unchanged
from conformance.numerics.plain_loop import in_float64, loop
from conformance.reference.simple_cnn import SimpleCNN, small_cnn
from conformance.utils.pytree import tree_map


@torch.no_grad()
def forward(model, x):
    return model(x)


def ensemble(implementation, models, x, in_dims=(0, 0, 0)):
    fmodel, params, buffers = implementation.combine(models)
    with torch.no_grad():
        return implementation.vmap(fmodel, in_dims=in_dims)(params, buffers, x)


def images(*shape, dtype=torch.float32, device="cpu"):
    return draw(*shape, 8, 8, dtype=dtype, device=device)


@pytest.mark.requirement("forward.own_minibatch")
def test_each_member_answers_for_its_own_minibatch(implementation, device, dtype):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatches = images(MEMBERS, SAMPLES, 1, dtype=dtype, device=device)

    out = ensemble(implementation, models, minibatches)

    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, list(minibatches)))


@pytest.mark.requirement("forward.shared_minibatch")
@pytest.mark.parametrize("samples", [SAMPLES, MEMBERS], ids=["seven-samples", "as-many-samples-as-members"])
def test_every_member_answers_for_the_shared_minibatch(implementation, device, dtype, samples):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatch = images(samples, 1, dtype=dtype, device=device)

    out = ensemble(implementation, models, minibatch, in_dims=(0, 0, None))

    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, [minibatch] * MEMBERS))


@cache
def original_example(device, dtype, *, shared):
    """The tutorial's ten models, their minibatches and the loop's answer, from the tutorial's seed."""
    if dtype == torch.float64:
        models, minibatches, answer = original_example(device, torch.float32, shared=shared)
        doubled = [copy.deepcopy(model).double() for model in models]
        return doubled, minibatches.double(), in_float64(answer)
    torch.manual_seed(0)
    models = [SimpleCNN().to(device) for _ in range(10)]
    minibatches = torch.randn(100, 64, 1, 28, 28)[:10].to(device)
    return models, minibatches, loop(forward, models, [minibatches[0]] * 10 if shared else list(minibatches))


@pytest.mark.original
@pytest.mark.requirement("forward.own_minibatch")
def test_the_original_example_with_a_minibatch_for_each_of_ten_models(implementation, device, dtype):
    models, minibatches, expected = original_example(device, dtype, shared=False)

    out = ensemble(implementation, models, minibatches)

    assert out.shape == (10, 64, 10)
    assert_members_close(out, expected)


@pytest.mark.original
@pytest.mark.requirement("forward.shared_minibatch")
def test_the_original_example_with_one_minibatch_for_all_ten_models(implementation, device, dtype):
    models, minibatches, expected = original_example(device, dtype, shared=True)

    out = ensemble(implementation, models, minibatches[0], in_dims=(0, 0, None))

    assert out.shape == (10, 64, 10)
    assert_members_close(out, expected)


@pytest.mark.requirement("forward.member_order")
def test_reordered_members_give_reordered_outputs(implementation, device, dtype):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatch = images(SAMPLES, 1, dtype=dtype, device=device)
    order = [2, 4, 1, 0, 3]  # no member stays, and it is not its own inverse
    reordered = [models[i] for i in order]

    out = ensemble(implementation, models, minibatch, in_dims=(0, 0, None))
    reordered_out = ensemble(implementation, reordered, minibatch, in_dims=(0, 0, None))

    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, [minibatch] * MEMBERS))
    assert_members_close(reordered_out, loop(forward, reordered, [minibatch] * MEMBERS))


@pytest.mark.requirement("forward.isolation")
@pytest.mark.parametrize("value", [3.0, math.nan, math.inf], ids=["finite", "nan", "inf"])
@pytest.mark.parametrize("where", ["state", "minibatch"])
def test_what_one_member_holds_reaches_no_other(implementation, device, where, value):
    models = members(small_cnn, MEMBERS, device=device)
    minibatches = images(MEMBERS, SAMPLES, 1, device=device)
    before = ensemble(implementation, models, minibatches)

    with torch.no_grad():
        models[2].conv1.weight.fill_(value) if where == "state" else minibatches[2].fill_(value)
    after = ensemble(implementation, models, minibatches)

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
    assert_members_close(other_state, loop(forward, second[::-1], list(minibatches[0])))
    assert_members_close(other_minibatch, loop(forward, first, list(minibatches[1])))


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
    before = {"params": cloned(params), "buffers": cloned(buffers), "minibatch": minibatch.clone()}

    implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, minibatch)

    assert_same(arguments, before, "argument")
    assert_same({"params": params, "buffers": buffers, "minibatch": minibatch}, before, "argument")


def cloned(state):
    if isinstance(state, dict):
        return {name: tensor.detach().clone() for name, tensor in state.items()}
    return tuple(tensor.detach().clone() for tensor in state)


@pytest.mark.requirement("forward.any_size")
@settings(max_examples=25)
@given(n=st.integers(1, 12), samples=st.integers(0, 9), shared=st.booleans())
@example(n=2, samples=2, shared=False)
@example(n=3, samples=2, shared=True)
@example(n=33, samples=2, shared=False)
@example(n=2, samples=65, shared=True)
def test_any_number_of_members_and_samples(implementation, device, n, samples, shared):
    models = members(small_cnn, n, device=device)
    minibatches = images(*([samples] if shared else [n, samples]), 1, device=device)

    out = ensemble(implementation, models, minibatches, in_dims=(0, 0, None if shared else 0))

    assert_members_close(out, loop(forward, models, [minibatches] * n if shared else list(minibatches)))


@pytest.mark.requirement("forward.one_member")
@pytest.mark.parametrize("in_dim", [0, None], ids=["own", "shared"])
def test_an_ensemble_of_one(implementation, device, dtype, in_dim):
    models = members(small_cnn, 1, device=device, dtype=dtype)
    minibatch = images(SAMPLES, 1, dtype=dtype, device=device)

    out = ensemble(implementation, models, minibatch if in_dim is None else minibatch[None], in_dims=(0, 0, in_dim))

    assert_members_close(out, loop(forward, models, [minibatch]))


@pytest.mark.requirement("forward.one_sample")
@pytest.mark.parametrize("in_dim", [0, None], ids=["own", "shared"])
def test_one_sample_keeps_its_dimension(implementation, device, dtype, in_dim):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatches = images(MEMBERS, 1, 1, dtype=dtype, device=device)
    given_input = minibatches if in_dim == 0 else minibatches[0]

    out = ensemble(implementation, models, given_input, in_dims=(0, 0, in_dim))

    assert_members_close(out, loop(forward, models, list(minibatches) if in_dim == 0 else [minibatches[0]] * MEMBERS))


@pytest.mark.requirement("forward.empty_minibatch")
@pytest.mark.parametrize("in_dim", [0, None], ids=["own", "shared"])
def test_no_samples_give_no_outputs(implementation, device, dtype, in_dim):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatches = images(MEMBERS, 0, 1, dtype=dtype, device=device)
    given_input = minibatches if in_dim == 0 else minibatches[0]

    out = ensemble(implementation, models, given_input, in_dims=(0, 0, in_dim))

    assert out.shape == (MEMBERS, 0, 13)
    assert_members_close(out, loop(forward, models, list(minibatches)))


LAYOUTS = {
    "members-and-samples-transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "rows-and-columns-transposed": lambda x: x.mT.contiguous().mT,
    "every-second-element": lambda x: torch.stack([x, -x], dim=-1).flatten(-2)[..., ::2],
    "with-an-offset": lambda x: torch.cat([-x[:1], x])[1:],
    "reversed-and-permuted": lambda x: x.permute(4, 3, 2, 1, 0).contiguous().permute(4, 3, 2, 1, 0),
}


@pytest.mark.requirement("forward.noncontiguous")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_the_minibatches_does_not_matter(implementation, device, layout):
    models = members(small_cnn, MEMBERS, device=device)
    contiguous = images(MEMBERS, SAMPLES, 1, device=device)
    minibatches = LAYOUTS[layout](contiguous)
    assert minibatches.stride() != contiguous.stride() or minibatches.storage_offset()
    assert_same(minibatches, contiguous)

    out = ensemble(implementation, models, minibatches)

    assert_members_close(out, loop(forward, models, list(contiguous)))


@pytest.mark.requirement("forward.expanded")
@pytest.mark.parametrize("over", ["members", "samples", "rows"])
def test_expanded_minibatches_count_as_often_as_they_say(implementation, device, over):
    models = members(small_cnn, MEMBERS, device=device)
    dim = {"members": 0, "samples": 1, "rows": 3}[over]
    minibatches = images(MEMBERS, SAMPLES, 1, device=device).narrow(dim, 0, 1).expand(MEMBERS, SAMPLES, 1, 8, 8)
    if over == "rows":
        minibatches = images(MEMBERS, SAMPLES, 1, device=device)[..., :1, :].expand(-1, -1, -1, 8, -1)
    assert 0 in minibatches.stride()

    out = ensemble(implementation, models, minibatches)

    assert_members_close(out, loop(forward, models, list(minibatches.contiguous())))


@pytest.mark.requirement("forward.channels_last")
@pytest.mark.parametrize("what", ["own-images", "shared-images", "weights"])
def test_channels_last_is_a_layout_and_no_other_image(implementation, device, what):
    models = members(colour_cnn, MEMBERS, device=device)
    contiguous = images(MEMBERS, SAMPLES, 2, device=device)
    minibatches = contiguous
    if what == "weights":
        models = [model.to(memory_format=torch.channels_last) for model in models]
        assert not models[0].conv2.weight.is_contiguous()
    else:
        minibatches = contiguous.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, (MEMBERS, SAMPLES))
        assert not minibatches.is_contiguous()
    shared = what == "shared-images"

    out = ensemble(implementation, models, minibatches[0] if shared else minibatches, (0, 0, None if shared else 0))

    assert_members_close(out, loop(forward, models, [contiguous[0]] * MEMBERS if shared else list(contiguous)))


@pytest.mark.requirement("forward.eval_mode")
def test_eval_mode_uses_the_statistics_of_each_member_and_leaves_them(implementation, device, dtype):
    models = [model.eval() for model in members(NormNet, MEMBERS, device=device, dtype=dtype)]
    minibatch = draw(SAMPLES, 3, device=device, dtype=dtype)
    fmodel, params, buffers = implementation.combine(models)
    before = cloned(buffers)

    with unchanged(*models):
        out = implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, minibatch)

    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, [minibatch] * MEMBERS))
    assert_same(buffers, before, "buffer")


@pytest.mark.requirement("forward.train_mode")
@pytest.mark.parametrize("in_dim", [0, None], ids=["own", "shared"])
def test_train_mode_updates_the_statistics_of_each_member(implementation, device, dtype, in_dim):
    models = [model.train() for model in members(NormNet, MEMBERS, device=device, dtype=dtype)]
    for model in models:
        model.dropout.eval()  # what dropout draws is another chapter's question
    minibatches = draw(MEMBERS, SAMPLES, 3, device=device, dtype=dtype)
    fmodel, params, buffers = implementation.combine(models)
    before = cloned(buffers)

    with unchanged(*models):
        given_input = minibatches if in_dim == 0 else minibatches[0]
        out = implementation.vmap(fmodel, in_dims=(0, 0, in_dim))(params, buffers, given_input)

    updated = by_name(buffers, list(models[0].named_buffers()))
    for name, old in by_name(before, list(models[0].named_buffers())).items():
        assert_distinct(old, updated[name])
    inputs = list(minibatches) if in_dim == 0 else [minibatches[0]] * MEMBERS
    assert_members_close({"output": out, "buffers": updated}, loop(forward_and_buffers, models, inputs), "result")


def forward_and_buffers(model, x):
    return {"output": model(x), "buffers": dict(model.named_buffers())}


@pytest.mark.requirement("forward.golden_logits")
@pytest.mark.parametrize("size", golden.SIZES)
def test_logits_are_those_of_numpy(implementation, device, dtype, size):
    case = golden.load_golden_cases(size, device=device, dtype=dtype)
    expected = replace(loop(forward, case.models, list(case.minibatches)), truth=case.logits)

    out = ensemble(implementation, case.models, case.minibatches)

    assert_distinct(*out)
    assert_members_close(torch.stack(list(expected.values)), expected, "logits of the loop")
    assert_members_close(out, expected, "logits of the ensemble")


@pytest.mark.requirement("forward.golden_gradients")
@pytest.mark.parametrize("size", golden.SIZES)
def test_gradients_are_those_of_numpy(implementation, device, size):
    # In float64 alone: float32 may round an activation to the other side of a ReLU's kink.
    case = golden.load_golden_cases(size, device=device, dtype=torch.float64)
    inputs = [{"x": x, "weights": weights} for x, weights in zip(case.minibatches, case.loss_weights, strict=True)]
    expected = replace(loop(golden_gradients_of_one, case.models, inputs), truth=case.gradients)
    named = list(case.models[0].named_parameters())
    fmodel, params, buffers = implementation.combine(case.models)
    leaves = [tensor.requires_grad_() for tensor in by_name(params, named).values()]

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
