"""Which dimension of each input does vmap map over?"""

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from torch import nn

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet
from conformance.numerics.assertions import assert_distinct, assert_members_close, may_refuse
from conformance.numerics.plain_loop import loop
from conformance.workloads.source_calls import assert_source_is_the_loop
from conformance.workloads.strategies import calls
from conformance.workloads.vmap_calls import BOX, CUBE, Pair, VmapCall, assert_is_the_loop

SHAPES = pytest.mark.parametrize("x", [BOX, CUBE], ids=["box", "cube"])
SQUARE = torch.arange(9.0).reshape(3, 3)
X, Y = torch.arange(15.0).reshape(3, 5), torch.arange(15.0).reshape(5, 3) ** 2


def stacked_along(dim, state):
    """Return stacked state with its members moved to `dim`, and its in_dims; a stack of scalars has no choice."""
    if isinstance(state, dict):
        dims = {name: dim if tensor.ndim > 1 else 0 for name, tensor in state.items()}
        return {name: tensor.movedim(0, dims[name]) for name, tensor in state.items()}, dims
    dims = tuple(dim if tensor.ndim > 1 else 0 for tensor in state)
    return tuple(tensor.movedim(0, own) for tensor, own in zip(state, dims, strict=True)), dims


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

    inputs = [minibatches[0]] * MEMBERS if data is None else list(minibatches)
    assert_distinct(*out)
    assert_members_close(out, loop(nn.Module.__call__, models, inputs))


@SHAPES
@pytest.mark.requirement("in_dims.position")
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_any_dimension_is_mapped(implementation, device, x, dim):
    assert_is_the_loop(implementation, VmapCall(lambda a: a.mT * 2 + a[0].sum(), (x,), (dim,)), device)


@SHAPES
@pytest.mark.requirement("in_dims.negative")
@pytest.mark.parametrize("dim", [-1, -2, -3])
def test_a_negative_dimension_counts_from_the_end(implementation, device, x, dim):
    assert_is_the_loop(implementation, VmapCall(lambda a: a.mT * 2 + a[0].sum(), (x,), (dim,)), device)


@pytest.mark.requirement("in_dims.none")
@pytest.mark.parametrize(
    "dims",
    [(None, 0, 0), (0, None, 0), (0, 0, None), (0, None, None), (None, 0, None), (None, None, 0), (1, None, -1)],
    ids=str,
)
def test_an_input_with_in_dim_none_is_shared_by_all_members(implementation, device, dims):
    call = VmapCall(lambda a, b, c: (a + 2 * b + 3 * c, a, b, c), (SQUARE, SQUARE**2, 7 - SQUARE), dims)

    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.broadcast")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(
            VmapCall(lambda a, b, c: a + 2 * b + 3 * c, (SQUARE, SQUARE**2, 7 - SQUARE), 1), id="int-over-arguments"
        ),
        pytest.param(
            VmapCall(lambda a: a[0] + 2 * a[1], ((SQUARE, SQUARE**2, 7 - SQUARE),), (1,)), id="int-over-tuple"
        ),
        pytest.param(VmapCall(lambda a: a["x"] + 2 * a["y"][0], ({"x": CUBE, "y": [CUBE]},), (-1,)), id="nested"),
        pytest.param(VmapCall(lambda a, b: a + b["y"], (BOX, {"y": CUBE[0, 0, :1]}), (1, None)), id="None-over-dict"),
        pytest.param(VmapCall(lambda a, b: a + b[0], (BOX, (BOX,)), (2, (2,))), id="int-in-parentheses"),
    ],
)
def test_an_entry_counts_for_all_that_it_stands_over(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.nested")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall(lambda a: a[0] + 2 * a[1], ((X, Y),), ((0, 1),)), id="tuple"),
        pytest.param(VmapCall(lambda a: a[0] + 2 * a[1], ([X, Y],), ([0, 1],)), id="list"),
        pytest.param(VmapCall(lambda a: a["y"] + 2 * a["x"], ({"y": X, "x": Y},), ({"y": 0, "x": 1},)), id="dict"),
        pytest.param(VmapCall(lambda a: a.left + 2 * a.right, (Pair(X, Y),), (Pair(0, 1),)), id="named-tuple"),
        pytest.param(
            VmapCall(lambda a: a["y"] - a["x"], (OrderedDict(y=X, x=Y),), (OrderedDict(y=0, x=1),)), id="OrderedDict"
        ),
        pytest.param(
            VmapCall(lambda a, b: a[0]["x"] + a[1] + b[0][0], (({"x": X}, X), [(Y,)]), (({"x": 0}, 0), [(1,)])),
            id="nested",
        ),
        pytest.param(VmapCall(lambda a: a[0] + a[1], ((X, X[0]),), ((0, None),)), id="None-within"),
    ],
)
def test_in_dims_may_match_the_structure(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.dict_by_key")
@pytest.mark.parametrize("x", [X, CUBE], ids=["other-shape", "same-shape"])
def test_a_dict_is_matched_by_key(implementation, device, x):
    call = VmapCall(lambda a: a["y"] + 2 * a["x"], ({"y": x, "x": x.mT},), ({"x": -1, "y": 0},))

    with may_refuse("in_dims"):
        assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.python_values")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall(lambda a, b: a * b if type(b) is int else a, (X, 3), (0, None)), id="int"),
        pytest.param(VmapCall(lambda b, a: a * b if b else a, (None, X), (None, 1)), id="None"),
        pytest.param(VmapCall(lambda a, b: getattr(a, b)(), (X, "sum"), (0, None)), id="str"),
        pytest.param(VmapCall(lambda a: a[0] * a[1]["by"], ((X, {"by": 2.0}),), ((0, {"by": None}),)), id="nested"),
    ],
)
def test_python_values_under_none_reach_the_function(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.size_from_any")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall(lambda a, b, c: a + b.sum() + c.sum(), (X, Y, CUBE), (None, 0, None)), id="middle"),
        pytest.param(VmapCall(lambda a, b: a + b["x"][0], (X, {"x": [X.mT]}), (None, {"x": [1]})), id="deep"),
        pytest.param(VmapCall(lambda a, b: (a, b), (torch.ones(7), torch.arange(5)), (None, -1), (0, 0)), id="vector"),
    ],
)
def test_one_mapped_tensor_says_how_many_members_there_are(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.any")
@given(call=calls())
def test_vmap_is_a_loop_over_slices(implementation, device, call):
    assert_source_is_the_loop(implementation, call, device)
