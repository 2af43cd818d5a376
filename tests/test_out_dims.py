"""Where does vmap put the mapped dimension of each output?"""

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from torch import nn

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.numerics.assertions import assert_distinct, assert_members_close, may_refuse
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn
from conformance.utils.child_process import run_in_child
from conformance.workloads.source_calls import assert_source_is_the_loop
from conformance.workloads.strategies import calls
from conformance.workloads.vmap_calls import BOX, CUBE, Pair, VmapCall, assert_is_the_loop

SHAPES = pytest.mark.parametrize("x", [BOX, CUBE], ids=["box", "cube"])


@SHAPES
@pytest.mark.requirement("out_dims.position")
@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("in_dim", [0, 2])
def test_the_mapped_dimension_goes_to_any_place(implementation, device, x, in_dim, dim):
    assert_is_the_loop(implementation, VmapCall(lambda a: a.mT * 2, (x,), in_dim, dim), device)


@SHAPES
@pytest.mark.requirement("out_dims.negative")
@pytest.mark.parametrize("dim", [-1, -2, -3])
@pytest.mark.parametrize("in_dim", [0, 2])
def test_a_negative_place_counts_from_the_end(implementation, device, x, in_dim, dim):
    assert_is_the_loop(implementation, VmapCall(lambda a: a.mT * 2, (x,), in_dim, dim), device)


@SHAPES
@pytest.mark.requirement("out_dims.per_output")
@pytest.mark.parametrize("dims", [(0, 1, 2), (2, 0, 1), (-1, 0, -2), (1, 1, 0)], ids=str)
def test_each_output_has_its_own_place(implementation, device, x, dims):
    assert_is_the_loop(implementation, VmapCall(lambda a: (a, 2 * a, a.mT), (x,), 0, dims), device)


@pytest.mark.requirement("out_dims.broadcast")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall(lambda a: (a, 2 * a), (CUBE,), 0, 1), id="tuple"),
        pytest.param(VmapCall(lambda a: {"x": a, "y": [a, (2 * a,)]}, (CUBE,), 0, -1), id="nested"),
        pytest.param(VmapCall(lambda a: (a, {"y": 2 * a}), (CUBE,), 0, (0, 2)), id="over-a-dict"),
    ],
)
def test_a_place_counts_for_all_that_it_stands_over(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("out_dims.nested")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall(lambda a: [a, 2 * a], (CUBE,), 0, [1, 2]), id="list"),
        pytest.param(VmapCall(lambda a: {"y": a, "x": 2 * a}, (CUBE,), 0, {"y": 1, "x": 2}), id="dict"),
        pytest.param(VmapCall(lambda a: Pair(a, 2 * a), (CUBE,), 0, Pair(1, 2)), id="named-tuple"),
        pytest.param(
            VmapCall(lambda a: OrderedDict(y=a, x=2 * a), (CUBE,), 0, OrderedDict(y=1, x=2)), id="OrderedDict"
        ),
        pytest.param(VmapCall(lambda a: (a, [{"x": a.mT}]), (CUBE,), 0, (1, [{"x": 2}])), id="nested"),
    ],
)
def test_out_dims_may_match_the_structure(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("out_dims.dict_by_key")
@pytest.mark.parametrize("x", [BOX, CUBE], ids=["box", "cube"])
def test_a_dict_is_matched_by_key(implementation, device, x):
    call = VmapCall(lambda a: {"y": a, "x": 2 * a}, (x,), 0, {"x": 2, "y": 1})

    with may_refuse("out_dims"):
        assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("out_dims.none")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(VmapCall(lambda a, b: (a, b, b + 1), (CUBE, BOX), (0, None), (0, None, None)), id="tensors"),
        pytest.param(VmapCall(lambda a: (a, 3, "three", None), (CUBE,), 0, (0, None, None, None)), id="python-values"),
        pytest.param(VmapCall(lambda a: (a, {"n": 3}), (CUBE,), 0, (1, {"n": None})), id="nested"),
    ],
)
def test_what_is_not_mapped_comes_back_as_it_is(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("out_dims.inputs_and_views")
@pytest.mark.parametrize("in_dim", [0, 1, -1])
@pytest.mark.parametrize("dims", [(0, 0, 0, 0), (1, 2, 0, -1)], ids=["front", "anywhere"])
def test_outputs_may_be_inputs_and_views(implementation, device, in_dim, dims):
    assert_is_the_loop(implementation, VmapCall(lambda a: (a, a, a.mT, a[:1]), (BOX,), in_dim, dims), device)


CONSTANTS = {
    "captured": torch.arange(9.0).reshape(3, 3),
    "vector": torch.arange(3.0),
    "other-size": torch.arange(5.0),
}


@pytest.mark.requirement("out_dims.constant")
@pytest.mark.parametrize("constant", CONSTANTS)
def test_a_constant_is_repeated_for_every_member(implementation, device, constant):
    call = VmapCall(lambda a, b: (a.sum(), b, b + 1), (CUBE, CONSTANTS[constant]), (0, None))

    assert_is_the_loop(implementation, call, device)


# torch inserts the size at out_dim and expands from the right: the values land in other places, without an error where
# the sizes happen to fit.
@pytest.mark.requirement("out_dims.constant_elsewhere")
@pytest.mark.parametrize("constant", CONSTANTS)
def test_a_constant_is_repeated_at_the_place_that_is_asked_for(implementation, device, constant):
    call = VmapCall(lambda a, b: b, (CUBE, CONSTANTS[constant]), (0, None), 1)

    with may_refuse("out_dim|size|shape|broadcast"):
        assert_is_the_loop(implementation, call, device)


def second(_, b):
    return b


def joined(a):
    return torch.cat([a, a])


# For a negative out_dim the same code inserts before the start of a C++ vector, hence the child process.
@pytest.mark.child
@pytest.mark.requirement("out_dims.constant_negative")
def test_a_constant_is_repeated_at_a_negative_place(implementation, device):
    call = VmapCall(second, (CUBE, CONSTANTS["captured"]), (0, None), -1)

    run_in_child(assert_is_the_loop, implementation, call, device)


# torch.cat skips vectors without elements, with their batch dimension, and its result counts as not mapped.
@pytest.mark.child
@pytest.mark.requirement("out_dims.joined_empty_vectors")
def test_joined_vectors_without_elements_are_mapped(implementation, device):
    call = VmapCall(joined, (torch.zeros(3, 0),), 0, -1)

    run_in_child(assert_is_the_loop, implementation, call, device)


@pytest.mark.requirement("out_dims.ensemble")
@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
def test_the_members_outputs_are_stacked_along_any_dimension(implementation, device, dim):
    models = members(small_cnn, MEMBERS, device=device)
    minibatch = draw(SAMPLES, 1, 8, 8, device=device)
    fmodel, params, buffers = implementation.combine(models)

    out = implementation.vmap(fmodel, in_dims=(0, 0, None), out_dims=dim)(params, buffers, minibatch)

    assert_distinct(*out.movedim(dim, 0))
    assert_members_close(out.movedim(dim, 0), loop(nn.Module.__call__, models, [minibatch] * MEMBERS))


@pytest.mark.requirement("out_dims.any")
@given(call=calls(out_dims=True))
def test_vmap_stacks_what_a_loop_returns(implementation, device, call):
    assert_source_is_the_loop(implementation, call, device)
