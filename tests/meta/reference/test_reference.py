"""Is the reference right? Checked against arithmetic by hand, at sizes that can't be mistaken for one another."""

from collections import OrderedDict
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from conformance.cases.data import draw, draw_tokens
from conformance.cases.members import members
from conformance.cases.networks import NormNet, TiedNet
from conformance.numerics.assertions import assert_same, unchanged
from conformance.reference.functional_call import functional_call as reference_functional_call
from conformance.reference.simple_cnn import small_cnn
from conformance.reference.stacking import combine as reference_combine
from conformance.reference.stacking import ensemble as reference_ensemble
from conformance.reference.vmap import vmap as reference_vmap
from conformance.utils.module_state import state_of
from conftest import Thin


class Pair(NamedTuple):
    left: object
    right: object


@given(
    in_dim=st.integers(-3, 2),
    out_dim=st.integers(-3, 2),
    sizes=st.permutations([2, 3, 5]),
)
def test_slice_i_of_the_output_is_the_function_of_slice_i(in_dim, out_dim, sizes):
    x = draw(*sizes, seed=0)

    out = reference_vmap(lambda row: row.T + 1, in_dim, out_dim)(x)

    assert out.shape[out_dim] == x.shape[in_dim]
    for i in range(x.shape[in_dim]):
        assert_same(out.select(out_dim, i), x.select(in_dim, i).T + 1)


def test_an_argument_under_none_is_the_same_for_all():
    x, y = draw(3, 5, seed=1), draw(5, seed=2)

    out = reference_vmap(torch.mul, (0, None))(x, y)

    assert_same(out, torch.stack([x[0] * y, x[1] * y, x[2] * y]))


def test_structures_go_in_and_out_as_they_are():
    x, y, z = draw(3, 5, seed=1), draw(7, 3, seed=2), draw(2, seed=3)

    def func(first, second, *, scale):
        return OrderedDict(sum=first["x"].sum() + second.right[0], pair=Pair(second.left * scale, second.right))

    out_dims = OrderedDict(sum=0, pair=Pair(-1, [None]))
    got = reference_vmap(func, ({"x": 0}, Pair(1, None)), out_dims)({"x": x}, Pair(y, [z]), scale=2.0)

    assert type(got) is OrderedDict
    assert_same(got["sum"], torch.stack([row.sum() + z for row in x]))
    assert_same(got["pair"], Pair(y * 2.0, [z]))


@pytest.mark.parametrize(("in_dim", "shape"), [(0, (0, 3)), (-1, (3, 0))], ids=["first", "last"])
def test_a_loop_over_nothing_has_the_shape_of_one_over_something(in_dim, shape):
    x = torch.zeros(shape, dtype=torch.int64)

    out = reference_vmap(lambda row, y: (row.sum(), torch.stack([row, row]), y), (in_dim, None), (0, -1, None))(x, 7)

    assert_same(out[:2], (torch.zeros(0, dtype=torch.int64), torch.zeros(2, 3, 0, dtype=torch.int64)))
    assert out[2] == 7


def test_a_write_to_a_slice_reaches_the_callers_tensor():
    x = draw(3, 5, seed=1)
    doubled = x * 2

    reference_vmap(lambda row: row.mul_(2))(x)

    assert_same(x, doubled)


@pytest.mark.parametrize(
    ("in_dims", "args", "message"),
    [
        (0, (torch.zeros(2), torch.zeros(3)), r"one size, and have \[2, 3\]"),
        (None, (torch.zeros(2),), r"one size, and have \[\]"),
        (0, (torch.zeros(2), 7), "which is no tensor"),
        (({"a": 0},), ({"b": torch.zeros(2)},), "does not match the structure"),
        (([0],), ((torch.zeros(2),),), "does not match the structure"),
        (((0, 0),), (torch.zeros(2),), "does not match the structure"),
        ((0, 0), (torch.zeros(2),), "does not match the structure"),
    ],
    ids=["sizes-differ", "nothing-mapped", "no-tensor", "other-keys", "other-type", "too-deep", "too-long"],
)
def test_calls_that_make_no_sense_are_refused(in_dims, args, message):
    with pytest.raises(ValueError, match=message):
        reference_vmap(lambda *args: args[0], in_dims)(*args)


def test_an_output_that_is_no_tensor_has_no_dimension():
    x = draw(3, 5, seed=1)

    with pytest.raises(ValueError, match="out_dims 0 is for 'five', which is no tensor"):
        reference_vmap(lambda _: "five")(x)
    assert reference_vmap(lambda _: "five", out_dims=None)(x) == "five"


def test_combine_stacks_by_name_and_runs_each_member():
    models = [model.eval() for model in members(NormNet, 3, seed=0)]
    models[0].fc1.bias.requires_grad_(False)
    models[1].fc1.bias.requires_grad_(False)
    models[2].fc1.bias.requires_grad_(False)
    x = draw(7, 3, seed=1)

    with unchanged(*models):
        fmodel, params, buffers = reference_combine(models)
        out = reference_vmap(fmodel, (0, 0, None))(params, buffers, x)

    assert_same(out, torch.stack(reference_ensemble(models, [x] * 3)))
    assert [*params, *buffers] == list(state_of(models[0]))
    assert {name for name, tensor in params.items() if not tensor.requires_grad} == {"fc1.bias"}
    for i, model in enumerate(models):
        assert_same({name: tensor[i].detach() for name, tensor in (params | buffers).items()}, detached(model))


def detached(model):
    return {name: tensor.detach() for name, tensor in state_of(model).items()}


def test_combine_refuses_no_member_and_members_that_are_not_alike():
    with pytest.raises(ValueError, match="at least one model"):
        reference_combine([])
    with pytest.raises(ValueError, match=r"not alike: member 1 has parameter 'weight', shape \(2, 5\) and member 0"):
        reference_combine([nn.Linear(3, 2), nn.Linear(5, 2)])


def test_a_call_leaves_the_module_and_fills_every_tie():
    module, other = members(TiedNet, 2, seed=0)
    x = draw_tokens(7, seed=1)

    with unchanged(module):
        assert_same(reference_functional_call(module, detached(other), x), other(x).detach())
    untied = reference_functional_call(module, {"head.weight": other.head.weight}, (x,), tie_weights=False)
    assert not torch.equal(untied, other(x))
    assert not torch.equal(untied, module(x))


def test_buffers_that_forward_writes_or_replaces_show_in_their_dict():
    model = members(NormNet, 1, seed=0)[0]
    model.dropout.eval()
    buffers = {name: tensor.clone() for name, tensor in model.named_buffers()}
    mean = buffers["norm.running_mean"]

    with unchanged(model):
        reference_functional_call(model, (dict(model.named_parameters()), buffers), (draw(7, 3, seed=1),))

    assert buffers["norm.running_mean"] is mean
    assert not torch.equal(mean, model.norm.running_mean)


@pytest.mark.parametrize(
    ("state", "options", "error", "message"),
    [
        (({"fc2.bias": torch.zeros(13)}, {"fc2.bias": torch.zeros(13)}), {}, ValueError, "multiple dictionaries"),
        ({"fc2.bias": 3}, {}, TypeError, "fc2.bias: 3 is not an instance"),
        ({"nope": torch.zeros(1)}, {"strict": True}, ValueError, r"Unexpected key\(s\): \['nope'\]"),
        ({}, {"strict": True}, ValueError, "Missing key.*conv1.bias"),
    ],
    ids=["twice", "no-tensor", "unknown", "missing"],
)
def test_bad_state_is_refused(state, options, error, message):
    model = small_cnn()

    with pytest.raises(error, match=message):
        reference_functional_call(model, state, (draw(7, 1, 8, 8, seed=1),), **options)


def test_different_values_for_ties_and_values_that_nobody_has_are_refused():
    module = members(TiedNet, 1, seed=0)[0]

    with pytest.raises(ValueError, match="tied"):
        reference_functional_call(module, {name: torch.zeros(11, 3) for name in ("embedding.weight", "head.weight")})
    with pytest.raises(ValueError, match=r"'head.weight'.*no values"):
        reference_functional_call(
            module.to("meta"), detached(members(TiedNet, 1, seed=0)[0]), (draw_tokens(7, seed=1),)
        )


# torch.func and functorch are judged by the main job.
def test_the_reference_conforms(run_suite):
    outcome = run_suite("--implementation=reference", "-m", "not original", plugins=[Thin(None)])

    assert outcome.red() == set()
    assert outcome.code == pytest.ExitCode.OK


# A loop has no compiler, no rules of functions, and no gradients but backward's.
NOT_OF_A_LOOP = (
    "compiled.state",
    "compiled.dims",
    "purity.function_info",
    "purity.function_in_place",
    "inplace.gradients",
)


def test_what_the_reference_is_not_asked_conforms_for_torch_func(run_suite):
    asked = [f"--requirement={each}" for each in NOT_OF_A_LOOP]

    outcome = run_suite("--implementation=torch.func", *asked, plugins=[Thin(None)])

    assert outcome.red() == set()
    assert outcome.code == pytest.ExitCode.OK
