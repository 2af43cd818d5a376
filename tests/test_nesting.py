"""Does vmap of vmap, and vmap among other transforms, equal nested loops?"""

import pytest
import torch
from hypothesis import given
from torch.func import grad, jacrev, jvp

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import TiedNet
from conformance.implementations.ensemble import name_tensors
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.numerics.plain_loop import loop
from conformance.reference.vmap import vmap as reference_vmap
from conformance.workloads.source_calls import assert_source_is_the_loop
from conformance.workloads.strategies import nested_calls
from conformance.workloads.vmap_calls import CUBE, NestedCall, assert_is_the_loop


def sample_by_sample(model, x):
    with torch.no_grad():
        return torch.stack([model(each) for each in x])


@pytest.mark.requirement("nesting.samples_of_members")
@pytest.mark.parametrize("data", [0, None], ids=["own", "shared"])
def test_members_outside_and_samples_inside(implementation, device, dtype, data):
    models = members(TiedNet, MEMBERS, device=device, dtype=dtype)
    given_tokens = draw_tokens(MEMBERS, SAMPLES, device=device)
    fmodel, params, buffers = implementation.combine(models)

    per_member = implementation.vmap(fmodel, in_dims=(None, None, 0))
    mapped = implementation.vmap(per_member, in_dims=(0, 0, data))
    out = mapped(params, buffers, given_tokens if data == 0 else given_tokens[0])

    assert_distinct(*out)
    inputs = list(given_tokens) if data == 0 else [given_tokens[0]] * MEMBERS
    assert_members_close(out, loop(sample_by_sample, models, inputs))


@pytest.mark.requirement("nesting.members_of_samples")
def test_samples_outside_and_members_inside(implementation, device, dtype):
    models = members(TiedNet, MEMBERS, device=device, dtype=dtype)
    given_tokens = draw_tokens(SAMPLES, device=device)
    fmodel, params, buffers = implementation.combine(models)

    per_sample = implementation.vmap(fmodel, in_dims=(0, 0, None))
    out = implementation.vmap(per_sample, in_dims=(None, None, 0))(params, buffers, given_tokens)

    assert_distinct(*out.transpose(0, 1))
    assert_members_close(out.transpose(0, 1), loop(sample_by_sample, models, [given_tokens] * MEMBERS))


X, Y = torch.arange(30.0).reshape(2, 3, 5), (torch.arange(30.0) ** 2).reshape(5, 3, 2)


@pytest.mark.requirement("nesting.dims_per_level")
@pytest.mark.parametrize("x", [X, CUBE], ids=["box", "cube"])
@pytest.mark.parametrize("outer", [0, 1, -1])
@pytest.mark.parametrize("inner", [0, 1, -2])
def test_each_level_has_dims_of_its_own(implementation, device, x, inner, outer):
    for inner_out, outer_out in ((0, 0), (1, 0), (0, 1), (-1, -1), (1, 2), (-2, -3)):
        call = NestedCall(lambda a: a * 2 + a.sum(), (x,), (inner, inner_out), (outer, outer_out))
        assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("nesting.dims_per_level")
def test_each_level_has_its_own_shared_inputs(implementation, device):
    call = NestedCall(lambda a, b: a + 2 * b, (X, Y), ((1, None), 0), ((0, -1), 1))

    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("nesting.closure")
def test_a_function_may_be_closed_over_a_tensor_of_an_outer_level(implementation, device):
    x, y = draw(3, 5, seed=1, device=device), draw(7, 5, seed=2, device=device)

    def outer(vmap):
        return vmap(lambda a: vmap(lambda b: a * b + a.sum(), 0, 1)(y))(x)

    assert_distinct(*outer(implementation.vmap))
    assert_same(outer(implementation.vmap), torch.stack([torch.stack([a * b + a.sum() for b in y], 1) for a in x]))


def loss_gradients(model, x):
    """Return the gradient of each sample's loss for each parameter, (samples, *shape)."""
    named = dict(model.named_parameters())
    each = [torch.autograd.grad(model(token).square().sum(), list(named.values())) for token in x]
    return {name: torch.stack(grads) for name, grads in zip(named, zip(*each, strict=True), strict=True)}


@pytest.mark.requirement("nesting.per_sample_gradients")
def test_per_sample_gradients_of_an_ensemble(implementation, device, dtype):
    models = members(TiedNet, MEMBERS, device=device, dtype=dtype)
    given_tokens = draw_tokens(SAMPLES, device=device)
    fmodel, params, buffers = implementation.combine(models)

    def loss(params, buffers, token):
        return fmodel(params, buffers, token).square().sum()

    per_sample = implementation.vmap(grad(loss), in_dims=(None, None, 0))
    grads = implementation.vmap(per_sample, in_dims=(0, 0, None))(params, buffers, given_tokens)

    grads = name_tensors(grads, list(models[0].named_parameters()))
    assert_distinct(*grads["body.weight"])
    assert_members_close(grads, loop(loss_gradients, models, [given_tokens] * MEMBERS), "gradient")


@pytest.mark.requirement("nesting.grid")
def test_a_grid_of_ensembles(implementation, device):
    models = members(TiedNet, 2 * 3, device=device)
    given_tokens, scales = draw_tokens(SAMPLES, device=device), torch.tensor([1.0, 2.0], device=device)
    fmodel, params, buffers = implementation.combine(models)

    def folded(state):
        fold = [
            tensor.detach().unflatten(0, (2, 3)) for tensor in (state.values() if isinstance(state, dict) else state)
        ]
        return dict(zip(state, fold, strict=True)) if isinstance(state, dict) else tuple(fold)

    def scaled(params, buffers, x, scale):
        return fmodel(params, buffers, x) * scale

    row = implementation.vmap(scaled, in_dims=(0, 0, None, None))
    out = implementation.vmap(row, in_dims=(0, 0, None, 0))(folded(params), folded(buffers), given_tokens, scales)

    def forward(model, given_input):
        with torch.no_grad():
            return model(given_input["x"]) * given_input["scale"]

    inputs = [{"x": given_tokens, "scale": scale} for scale in scales for _ in range(3)]
    assert_members_close(out.flatten(0, 1), loop(forward, models, inputs))


@pytest.mark.requirement("nesting.three_levels")
@pytest.mark.parametrize("dims", [(0, 0, 0), (2, 1, 0), (-1, 0, -1), (1, -1, 0)], ids=str)
def test_three_levels_are_three_loops(implementation, device, dims):
    x = torch.arange(2 * 3 * 5 * 7.0, device=device).reshape(2, 3, 5, 7)

    def three(vmap):
        return vmap(vmap(vmap(lambda a: a.cumsum(0), dims[2], 1), dims[1], 2), dims[0], -1)(x)

    assert_same(three(implementation.vmap), three(reference_vmap))


# Small integers and polynomials have exact derivatives, so that transforms have to agree to the last bit.
def cubic(x):
    return (x * x * x - 2 * x).sum()


def vector(x):
    return torch.stack([x.prod(), (x * x).sum(), x[0] * 3])


NUMBERS = torch.arange(15.0).reshape(3, 5) % 4 - 1


@pytest.mark.requirement("nesting.grad")
def test_grad_inside_vmap(implementation, device):
    x = NUMBERS.to(device)

    assert_same(implementation.vmap(grad(cubic))(x), 3 * x * x - 2)
    assert_same(implementation.vmap(grad(cubic), 1, 1)(x), 3 * x * x - 2)


@pytest.mark.requirement("nesting.grad")
def test_vmap_inside_grad(implementation, device):
    x, factors = NUMBERS.to(device), torch.tensor([1.0, 2.0, 4.0], device=device)

    gradient = grad(lambda x: (implementation.vmap(cubic)(x) * factors).sum())(x)

    assert_same(gradient, (3 * x * x - 2) * factors[:, None])


@pytest.mark.requirement("nesting.jvp")
def test_jvp_inside_vmap(implementation, device):
    x, tangents = NUMBERS.to(device), NUMBERS.to(device).flip(0) + 1

    value, tangent = implementation.vmap(lambda x, t: jvp(cubic, (x,), (t,)))(x, tangents)

    assert_distinct(*tangent)
    assert_same(value, torch.stack([cubic(row) for row in x]))
    assert_same(tangent, ((3 * x * x - 2) * tangents).sum(1))


@pytest.mark.requirement("nesting.jacrev")
def test_jacrev_inside_vmap(implementation, device):
    x = NUMBERS.to(device)[:, :3]

    jacobian = implementation.vmap(jacrev(vector))(x)
    of_a_vmap = implementation.vmap(jacrev(implementation.vmap(lambda a: a * a)))(x)

    rows = [[torch.stack([b * c, a * c, a * b]), 2 * torch.stack([a, b, c]), a.new_tensor([3, 0, 0])] for a, b, c in x]
    assert_same(jacobian, torch.stack([torch.stack(row) for row in rows]))
    assert_same(of_a_vmap, torch.stack([torch.diag(2 * row) for row in x]))


def fail(*_):
    raise ZeroDivisionError("raised by the function")


# The error that the call raises, and a word of its message.
RAISED = (ZeroDivisionError, "raised by the function")
LEVELS = {
    "alone": (lambda vmap: vmap(fail), RAISED),
    "inside-vmap": (lambda vmap: vmap(vmap(fail)), RAISED),
    "outside-vmap": (lambda vmap: vmap(lambda row: fail(vmap(torch.sin)(row))), RAISED),
    "in-chunks": (lambda vmap: vmap(fail, chunk_size=2), RAISED),
    "inside-grad": (lambda vmap: vmap(grad(fail)), RAISED),
    "around-grad": (lambda vmap: grad(vmap(fail)), RAISED),
    "with-randomness": (lambda vmap: vmap(fail, randomness="different"), RAISED),
    "bad-output": (lambda vmap: vmap(lambda row: {"x": row, "y": "no tensor"}), (ValueError, "[Tt]ensor")),
    "bad-out-dims": (lambda vmap: vmap(lambda row: row, 0, 7), ((ValueError, IndexError), "[Dd]im")),
}


@pytest.mark.requirement("nesting.exception")
@pytest.mark.parametrize("level", LEVELS)
def test_an_exception_leaves_no_level_behind(implementation, device, level):
    x = NUMBERS.to(device)
    mapped, (kind, word) = LEVELS[level]

    with pytest.raises(kind, match=word):
        mapped(implementation.vmap)(x)

    # Random numbers and requires_grad_ are refused inside a level.
    assert torch.rand(2, device=device).shape == (2,)
    assert x.clone().requires_grad_().requires_grad
    assert_same(implementation.vmap(lambda row: row.sum() + row)(x), x.sum(1, keepdim=True) + x)


@pytest.mark.requirement("nesting.any")
@given(call=nested_calls())
def test_vmap_of_vmap_is_two_nested_loops(implementation, device, call):
    assert_source_is_the_loop(implementation, call, device)
