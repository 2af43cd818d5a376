"""Which dimension of each input does vmap map over?"""

from collections import OrderedDict
from contextlib import suppress

import pytest
import torch
from hypothesis import given

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.numerics.plain_loop import loop
from conformance.workloads.strategies import calls
from conformance.workloads.vmap_calls import Pair, VmapCall, assert_is_the_loop

# Three sizes that differ, and three that do not: a mistake shows as an error in one and as a wrong value in the other.
BOX, CUBE = "torch.arange(105.).reshape(3, 5, 7)", "torch.arange(27.).reshape(3, 3, 3)"
SHAPES = pytest.mark.parametrize("x", [BOX, CUBE], ids=["box", "cube"])


def forward(model, x):
    return model(x)


def stacked_along(dim, state):
    """Stacked state with its members moved to `dim`, and the in_dims that say so; a stack of scalars has no choice."""
    if isinstance(state, dict):
        dims = {name: dim if tensor.ndim > 1 else 0 for name, tensor in state.items()}
        return {name: tensor.movedim(0, dims[name]) for name, tensor in state.items()}, dims
    dims = tuple(dim if tensor.ndim > 1 else 0 for tensor in state)
    return tuple(tensor.movedim(0, place) for tensor, place in zip(state, dims, strict=True)), dims


@pytest.mark.requirement("in_dims.ensemble")
@pytest.mark.parametrize("data", [0, 1, -1, None], ids=["data-0", "data-1", "data-last", "data-shared"])
@pytest.mark.parametrize("state", [0, 1, -1], ids=["state-0", "state-1", "state-last"])
def test_parameters_buffers_and_data_are_stacked_along_any_dimension(implementation, device, state, data):
    models = [model.eval() for model in members(NormNet, MEMBERS, device=device)]
    minibatches = draw(MEMBERS, SAMPLES, 3, device=device)
    fmodel, params, buffers = implementation.combine(models)
    (params, param_dims), (buffers, buffer_dims) = stacked_along(state, params), stacked_along(state, buffers)
    x = minibatches[0] if data is None else minibatches.movedim(0, data)

    out = implementation.vmap(fmodel, in_dims=(param_dims, buffer_dims, data))(params, buffers, x)

    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, [minibatches[0]] * MEMBERS if data is None else list(minibatches)))


@SHAPES
@pytest.mark.requirement("in_dims.position")
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_any_dimension_is_mapped(implementation, device, x, dim):
    assert_is_the_loop(implementation, VmapCall("lambda a: a.mT * 2 + a[0].sum()", f"({x},)", (dim,)), device)


@SHAPES
@pytest.mark.requirement("in_dims.negative")
@pytest.mark.parametrize("dim", [-1, -2, -3])
def test_a_negative_dimension_counts_from_the_end(implementation, device, x, dim):
    assert_is_the_loop(implementation, VmapCall("lambda a: a.mT * 2 + a[0].sum()", f"({x},)", (dim,)), device)


SQUARES = "(torch.arange(9.).reshape(3, 3), torch.arange(9.).reshape(3, 3) ** 2, 7 - torch.arange(9.).reshape(3, 3))"


@pytest.mark.requirement("in_dims.none")
@pytest.mark.parametrize(
    "dims",
    [(None, 0, 0), (0, None, 0), (0, 0, None), (0, None, None), (None, 0, None), (None, None, 0), (1, None, -1)],
    ids=str,
)
def test_an_input_with_in_dim_none_is_shared_by_all_members(implementation, device, dims):
    assert_is_the_loop(implementation, VmapCall("lambda a, b, c: (a + 2 * b + 3 * c, a, b, c)", SQUARES, dims), device)


@pytest.mark.requirement("in_dims.broadcast")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall("lambda a, b, c: a + 2 * b + 3 * c", SQUARES, 1), id="int-over-arguments"),
        pytest.param(VmapCall("lambda a: a[0] + 2 * a[1]", f"({SQUARES},)", (1,)), id="int-over-tuple"),
        pytest.param(
            VmapCall("lambda a: a['x'] + 2 * a['y'][0]", f"({{'x': {CUBE}, 'y': [{CUBE}]}},)", (-1,)), id="nested"
        ),
        pytest.param(
            VmapCall("lambda a, b: a + b['y']", f"({BOX}, {{'y': {CUBE}[0, 0, :1]}})", (1, None)), id="None-over-dict"
        ),
        pytest.param(VmapCall("lambda a, b: a + b[0]", f"({BOX}, ({BOX},))", ((2), (2,))), id="int-in-parentheses"),
    ],
)
def test_an_entry_counts_for_all_that_it_stands_over(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


X, Y = "torch.arange(15.).reshape(3, 5)", "torch.arange(15.).reshape(5, 3) ** 2"


@pytest.mark.requirement("in_dims.nested")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall("lambda a: a[0] + 2 * a[1]", f"(({X}, {Y}),)", ((0, 1),)), id="tuple"),
        pytest.param(VmapCall("lambda a: a[0] + 2 * a[1]", f"([{X}, {Y}],)", ([0, 1],)), id="list"),
        pytest.param(
            VmapCall("lambda a: a['y'] + 2 * a['x']", f"({{'y': {X}, 'x': {Y}}},)", ({"y": 0, "x": 1},)), id="dict"
        ),
        pytest.param(VmapCall("lambda a: a.left + 2 * a.right", f"(Pair({X}, {Y}),)", (Pair(0, 1),)), id="named-tuple"),
        pytest.param(
            VmapCall("lambda a: a['y'] - a['x']", f"(OrderedDict(y={X}, x={Y}),)", (OrderedDict(y=0, x=1),)),
            id="OrderedDict",
        ),
        pytest.param(
            VmapCall(
                "lambda a, b: a[0]['x'] + a[1] + b[0][0]", f"(({{'x': {X}}}, {X}), [({Y},)])", (({"x": 0}, 0), [(1,)])
            ),
            id="nested",
        ),
        pytest.param(VmapCall("lambda a: a[0] + a[1]", f"(({X}, {X}[0]),)", ((0, None),)), id="None-within"),
    ],
)
def test_in_dims_may_match_the_structure(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.dict_by_key")
@pytest.mark.parametrize("x", [X, CUBE], ids=["other-shape", "same-shape"])
def test_a_dict_is_matched_by_key(implementation, device, x):
    call = VmapCall("lambda a: a['y'] + 2 * a['x']", f"({{'y': {x}, 'x': {x}.mT}},)", ({"x": -1, "y": 0},))

    with suppress(RuntimeError, ValueError):  # it may be refused
        assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.python_values")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall("lambda a, b: a * b if type(b) is int else a", f"({X}, 3)", (0, None)), id="int"),
        pytest.param(VmapCall("lambda b, a: a * b if b else a", f"(None, {X})", (None, 1)), id="None"),
        pytest.param(VmapCall("lambda a, b: getattr(a, b)()", f"({X}, 'sum')", (0, None)), id="str"),
        pytest.param(
            VmapCall("lambda a: a[0] * a[1]['by']", f"(({X}, {{'by': 2.0}}),)", ((0, {"by": None}),)), id="nested"
        ),
    ],
)
def test_python_values_under_none_reach_the_function(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.size_from_any")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(
            VmapCall("lambda a, b, c: a + b.sum() + c.sum()", f"({X}, {Y}, {CUBE})", (None, 0, None)), id="middle"
        ),
        pytest.param(
            VmapCall("lambda a, b: a + b['x'][0]", f"({X}, {{'x': [{X}.mT]}})", (None, {"x": [1]})), id="deep"
        ),
        pytest.param(
            VmapCall("lambda a, b: (a, b)", "(torch.ones(7), torch.arange(5))", (None, -1), (0, 0)), id="vector"
        ),
    ],
)
def test_one_mapped_tensor_says_how_many_members_there_are(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@SHAPES
@pytest.mark.requirement("in_dims.same_tensor")
def test_one_tensor_is_passed_under_several_dimensions(implementation, device, x):
    square = "torch.arange(9.).reshape(3, 3)"
    same = VmapCall("lambda x: (lambda a, b: a + 2 * b)(*x)", f"((lambda t: [t, t])({square}),)", ([0, 1],))
    as_it_is = VmapCall("lambda x: x[0] + 2 * x[1].sum()", f"((lambda t: (t, t))({x}),)", ((1, None),))

    assert_is_the_loop(implementation, same, device)
    assert_is_the_loop(implementation, as_it_is, device)


LAYOUTS = {
    "transposed": "torch.arange(105.).reshape(7, 5, 3).permute(2, 1, 0)",
    "expanded-over-members": "torch.arange(35.).reshape(1, 5, 7).expand(3, 5, 7)",
    "expanded-within": "torch.arange(15.).reshape(3, 5, 1).expand(3, 5, 7)",
    "strided": "torch.arange(210.).reshape(3, 5, 14)[..., ::2]",
    "offset": "torch.arange(140.).reshape(4, 5, 7)[1:]",
    "channels_last": "torch.arange(315.).reshape(3, 5, 7, 3).contiguous(memory_format=torch.channels_last)[..., 0]",
}


@pytest.mark.requirement("in_dims.layouts")
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_an_input_does_not_matter(implementation, device, layout, dim):
    func = "lambda a: (a.mT + 1, a.reshape(-1) * 2, a.sum(0))"
    expected = VmapCall(func, f"({LAYOUTS[layout]}.contiguous(),)", dim).expected(device)

    out = implementation.vmap(VmapCall(func, "()").function(), dim)(
        *VmapCall(func, f"({LAYOUTS[layout]},)").arguments(device)
    )

    assert_same(out, expected)


@pytest.mark.requirement("in_dims.views")
@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize(
    "view",
    [
        "a[1:]",
        "a[..., 0]",
        "a.T",
        "a.unsqueeze(1)",
        "a.flatten()",
        "a.expand(2, *a.shape)",
        "a.diagonal()",
        "a[:, ::2]",
    ],
)
def test_a_view_is_a_view_of_the_slice(implementation, device, view, dim):
    assert_is_the_loop(implementation, VmapCall(f"lambda a: ({view} + 1, {view}, a)", f"({BOX},)", dim), device)


@pytest.mark.requirement("in_dims.views")
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_a_write_to_a_view_reaches_the_slice_of_the_caller(implementation, device, dim):
    x, expected = (torch.arange(105.0, device=device).reshape(3, 5, 7) for _ in range(2))
    for i in range(expected.shape[dim]):
        expected.select(dim, i)[1].mul_(i + 2)
    factors = torch.arange(x.shape[dim], device=device) + 2

    implementation.vmap(lambda a, factor: a[1].mul_(factor), (dim, 0))(x, factors)

    assert_same(x, expected)


@pytest.mark.requirement("in_dims.empty")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall("lambda a: (a + 1, a.sum(0), a @ a.mT)", "(torch.ones(0, 5, 7),)"), id="first"),
        pytest.param(VmapCall("lambda a: (a + 1, a.sum(0))", "(torch.ones(5, 7, 0),)", -1), id="last"),
        pytest.param(
            VmapCall("lambda a, b: a + b", "(torch.ones(0, 5), torch.ones(5))", (0, None)), id="with-a-shared-input"
        ),
    ],
)
def test_no_members_give_an_empty_output_of_the_right_shape(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.empty_scalars")
@pytest.mark.parametrize(
    "func", ["lambda a: a + 1", "lambda a: a * torch.ones(2, device=a.device)"], ids=["number", "tensor"]
)
def test_no_members_that_are_scalars_give_an_empty_output(implementation, device, func):
    assert_is_the_loop(implementation, VmapCall(func, "(torch.ones(0),)"), device)


@pytest.mark.requirement("in_dims.kwargs")
def test_keyword_arguments_are_not_mapped(implementation, device):
    x, k = draw(3, 5, seed=1, device=device), draw(3, 5, seed=2, device=device)

    out = implementation.vmap(lambda a, *, k: a + k)(x, k=k)

    assert_same(out, torch.stack([row + k for row in x]))


@pytest.mark.requirement("in_dims.any")
@given(call=calls())
def test_vmap_is_a_loop_over_slices(implementation, device, call):
    assert_is_the_loop(implementation, call, device)
