"""Does a call with given state compute with that state?"""

import copy

import pytest
import torch

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet, TiedNet
from conformance.numerics.assertions import assert_distinct, assert_members_close, unchanged
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn
from conformance.utils.module_state import state_of
from conformance.workloads.forward import forward
from conformance.workloads.functional_calls import assert_output_of, copied_state, make_two, member_slice, state_names


@pytest.mark.requirement("calling.given_state")
@pytest.mark.parametrize("factory", [small_cnn, NormNet], ids=lambda factory: factory.__name__)
def test_the_given_state_is_used_and_not_the_modules_own(implementation, device, dtype, factory):
    module, other = make_two(factory, device=device, dtype=dtype)
    x = draw(SAMPLES, *((1, 8, 8) if factory is small_cnn else (3,)), device=device, dtype=dtype)

    out = implementation.functional_call(module, copied_state(state_of(other)), (x,))

    assert_distinct(out, module(x))
    assert_output_of(out, other, x)


@pytest.mark.requirement("calling.given_state")
@pytest.mark.parametrize("name", state_names(NormNet))
def test_each_given_tensor_counts(implementation, device, name):
    module, other = make_two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)
    given = {name: copied_state(state_of(other))[name]}
    expected = copy.deepcopy(module)
    expected.load_state_dict(given, strict=False)

    out = implementation.functional_call(module, given, (x,))

    assert name == "norm.num_batches_tracked" or not torch.equal(out, module(x))
    assert_output_of(out, expected, x)


@pytest.mark.requirement("calling.fmodel")
@pytest.mark.parametrize("factory", [small_cnn, NormNet, TiedNet], ids=lambda factory: factory.__name__)
def test_the_combined_function_with_a_slice_is_that_member(implementation, device, factory):
    models = [model.eval() for model in members(factory, MEMBERS, device=device)]
    x = {small_cnn: draw(SAMPLES, 1, 8, 8), NormNet: draw(SAMPLES, 3), TiedNet: draw_tokens(SAMPLES)}[factory].to(
        device
    )
    fmodel, params, buffers = implementation.combine(models)

    outs = [fmodel(member_slice(params, i), member_slice(buffers, i), x) for i in range(MEMBERS)]

    assert_distinct(*outs)
    assert_members_close(torch.stack(outs), loop(forward, models, [x] * MEMBERS))


@pytest.mark.requirement("calling.fmodel_after_changes")
def test_what_happens_to_the_members_later_is_not_seen(implementation, device):
    models = [model.eval() for model in members(NormNet, MEMBERS, device=device)]
    kept = copy.deepcopy(models)
    x = draw(SAMPLES, 3, device=device)
    fmodel, params, buffers = implementation.combine(models)

    for model in models:
        model.train()
        model.dropout.p = 0.9
        with torch.no_grad():
            model.fc1.weight.zero_()
    out = implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, x)

    assert_members_close(out, loop(forward, kept, [x] * MEMBERS))


@pytest.mark.requirement("calling.gradient")
def test_gradients_reach_the_given_state_and_not_the_module(implementation, device):
    module, other = make_two(small_cnn, device=device)
    x = draw(SAMPLES, 1, 8, 8, device=device)
    given = {name: tensor.requires_grad_() for name, tensor in copied_state(state_of(other)).items()}
    expected = loop(gradients, [other], [x])

    with unchanged(module):
        implementation.functional_call(module, given, (x,)).square().sum().backward()

    assert all(tensor.grad is not None and tensor.grad.any() for tensor in given.values())
    assert_members_close({name: tensor.grad[None] for name, tensor in given.items()}, expected, "gradient")


def gradients(model, x):
    model(x).square().sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.requirement("calling.meta_base")
@pytest.mark.parametrize("made", ["moved", "built"])
@pytest.mark.parametrize("factory", [small_cnn, NormNet], ids=lambda factory: factory.__name__)
def test_a_base_on_meta_computes_with_the_given_state(implementation, device, factory, made):
    models = [model.eval() for model in members(factory, MEMBERS, device=device)]
    x = draw(SAMPLES, *((1, 8, 8) if factory is small_cnn else (3,)), device=device)
    if made == "moved":
        base = copy.deepcopy(models[0]).to("meta")
    else:
        with torch.device("meta"):
            base = factory().eval()
    _, params, buffers = implementation.combine(models)

    def fmodel(params, buffers, x):
        return implementation.functional_call(base, (params, buffers), (x,))

    with unchanged(base):
        out = implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, x)

    assert all(tensor.is_meta for tensor in state_of(base).values())
    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, [x] * MEMBERS))
