"""Which names, order and values does the stacked state have?"""

import pytest
from torch import nn

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import Assorted, NormNet, TiedNet
from conformance.numerics.assertions import (
    assert_distinct,
    assert_same,
    assert_slices,
)
from conformance.reference.simple_cnn import small_cnn
from conformance.utils.module_state import state_of
from conformance.workloads.stacking import stacked_state


@pytest.mark.requirement("stacking.order")
@pytest.mark.parametrize("factory", [small_cnn, NormNet, TiedNet, Assorted], ids=lambda factory: factory.__name__)
def test_slice_i_is_member_i(implementation, device, factory):
    models = members(factory, MEMBERS, device=device)

    params, buffers = stacked_state(implementation, models)

    assert_slices(params, [dict(model.named_parameters()) for model in models])
    assert_slices(buffers, [dict(model.named_buffers()) for model in models])


@pytest.mark.requirement("stacking.names")
@pytest.mark.parametrize("factory", [small_cnn, NormNet, TiedNet, Assorted], ids=lambda factory: factory.__name__)
def test_names_are_those_of_the_module_in_its_order(implementation, device, factory):
    models = members(factory, MEMBERS, device=device)

    _, params, buffers = implementation.combine(models)

    assert list(params) == [name for name, _ in models[0].named_parameters()]
    assert list(buffers) == [name for name, _ in models[0].named_buffers()]


@pytest.mark.requirement("stacking.tuples")
@pytest.mark.parametrize("factory", [small_cnn, NormNet, TiedNet, Assorted], ids=lambda factory: factory.__name__)
def test_tuples_are_in_the_order_of_the_module(implementation, device, factory):
    models = members(factory, MEMBERS, device=device)

    _, params, buffers = implementation.combine(models)

    assert type(params) is type(buffers) is tuple
    assert_slices(dict(enumerate(params)), [dict(enumerate(model.parameters())) for model in models])
    assert_slices(dict(enumerate(buffers)), [dict(enumerate(model.buffers())) for model in models])


@pytest.mark.requirement("stacking.leading_dimension")
@pytest.mark.parametrize("n", [1, 2, MEMBERS], ids=["one", "two", "five"])
def test_every_stacked_tensor_has_the_members_in_front(implementation, device, n):
    models = members(Assorted, n, device=device)

    params, buffers = stacked_state(implementation, models)

    shapes = {name: (n, *tensor.shape) for name, tensor in state_of(models[0]).items()}
    assert (n,) in shapes.values()
    assert (n, 0, 3) in shapes.values()
    assert {name: tuple(tensor.shape) for name, tensor in (params | buffers).items()} == shapes


@pytest.mark.requirement("stacking.sequences")
@pytest.mark.parametrize("sequence", [list, tuple, nn.ModuleList], ids=["list", "tuple", "ModuleList"])
def test_any_sequence_of_members_is_accepted(implementation, device, sequence):
    models = members(NormNet, MEMBERS, device=device)

    params, buffers = stacked_state(implementation, sequence(models))

    assert_slices(params | buffers, [state_of(model) for model in models])


@pytest.mark.requirement("stacking.round_trip")
@pytest.mark.parametrize("factory", [small_cnn, NormNet], ids=lambda factory: factory.__name__)
def test_unstacked_state_makes_the_member_again(implementation, device, dtype, factory):
    models = [model.eval() for model in members(factory, MEMBERS, seed=1, device=device, dtype=dtype)]
    fresh = [model.eval() for model in members(factory, MEMBERS, seed=2, device=device, dtype=dtype)]
    x = draw(SAMPLES, *((1, 8, 8) if factory is small_cnn else (3,)), device=device, dtype=dtype)
    params, buffers = stacked_state(implementation, models)

    for i, model in enumerate(fresh):
        assert_distinct(model(x), models[i](x))
        model.load_state_dict({name: tensor[i] for name, tensor in (params | buffers).items()}, strict=True)

    for i, model in enumerate(fresh):
        assert_same(model.state_dict(), models[i].state_dict(), f"state of member {i}")
        assert_same(model(x), models[i](x), f"output of member {i}")
