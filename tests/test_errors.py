"""Is every bad argument of vmap refused, by name, without a trace?"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conformance.numerics.assertions import refuses
from conformance.workloads.bad_calls import assert_refused, named
from conformance.workloads.source_calls import assert_source_is_the_loop
from conformance.workloads.strategies import calls


@pytest.mark.requirement("errors.in_dim_out_of_range")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, 2)(x)": lambda vmap, x: vmap(torch.sin, 2)(x),
            "vmap(torch.sin, -3)(x)": lambda vmap, x: vmap(torch.sin, -3)(x),
            "vmap(torch.add, (0, 5))(x, x)": lambda vmap, x: vmap(torch.add, (0, 5))(x, x),
        }
    ),
)
def test_an_in_dim_beyond_the_input_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "in_dim")


@pytest.mark.requirement("errors.scalar_input")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin)(scalar)": lambda vmap, scalar: vmap(torch.sin)(scalar),
            "vmap(torch.add, (0, -1))(x, scalar)": lambda vmap, x, scalar: vmap(torch.add, (0, -1))(x, scalar),
        }
    ),
)
def test_a_scalar_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "in_dim|dimension")


@pytest.mark.requirement("errors.in_dims_type")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, '0')(x)": lambda vmap, x: vmap(torch.sin, "0")(x),
            "vmap(torch.sin, 1.0)(x)": lambda vmap, x: vmap(torch.sin, 1.0)(x),
            "vmap(torch.sin, torch.tensor(0))(x)": lambda vmap, x: vmap(torch.sin, torch.tensor(0))(x),
            "vmap(torch.sin, None)(x)": lambda vmap, x: vmap(torch.sin, None)(x),
            "vmap(torch.sin, [0])(x)": lambda vmap, x: vmap(torch.sin, [0])(x),
            "vmap(torch.sin, {'x': 0})(x)": lambda vmap, x: vmap(torch.sin, {"x": 0})(x),
        }
    ),
)
def test_in_dims_of_another_type_are_refused(implementation, device, call):
    assert_refused(implementation, device, call, "in_dims")


@pytest.mark.requirement("errors.in_dims_bool")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, True)(x)": lambda vmap, x: vmap(torch.sin, True)(x),
            "vmap(torch.sin, (False,))(x)": lambda vmap, x: vmap(torch.sin, (False,))(x),
        }
    ),
)
def test_a_bool_as_in_dim_is_refused_by_name(implementation, device, call):
    assert_refused(implementation, device, call, "in_dim")


@pytest.mark.requirement("errors.in_dims_structure")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, (0, 0))(x)": lambda vmap, x: vmap(torch.sin, (0, 0))(x),
            "vmap(torch.add, (0,))(x, x)": lambda vmap, x: vmap(torch.add, (0,))(x, x),
            "vmap(torch.sin, ())(x)": lambda vmap, x: vmap(torch.sin, ())(x),
            "vmap(torch.sin, ([0],))(x)": lambda vmap, x: vmap(torch.sin, ([0],))(x),
            "vmap(lambda a: a[0], ({'x': 0},))([x])": lambda vmap, x: vmap(lambda a: a[0], ({"x": 0},))([x]),
            "vmap(lambda a: a['x'], ({'y': 0},))({'x': x})": lambda vmap, x: vmap(lambda a: a["x"], ({"y": 0},))(
                {"x": x}
            ),
        }
    ),
)
def test_in_dims_of_another_structure_are_refused(implementation, device, call):
    assert_refused(implementation, device, call, "in_dims")


@pytest.mark.requirement("errors.in_dims_leaf")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, ('0',))(x)": lambda vmap, x: vmap(torch.sin, ("0",))(x),
            "vmap(torch.sin, (0.0,))(x)": lambda vmap, x: vmap(torch.sin, (0.0,))(x),
            "vmap(lambda a: a[0], (['0'],))([x])": lambda vmap, x: vmap(lambda a: a[0], (["0"],))([x]),
        }
    ),
)
def test_an_in_dim_that_is_no_int_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "in_dim")


@pytest.mark.requirement("errors.sizes_differ")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.add)(x, x[:2])": lambda vmap, x: vmap(torch.add)(x, x[:2]),
            "vmap(torch.add, (0, 1))(x, x)": lambda vmap, x: vmap(torch.add, (0, 1))(x, x),
            "vmap(torch.add)(x, x[:1])": lambda vmap, x: vmap(torch.add)(x, x[:1]),
            "vmap(torch.add)(x, x[:0])": lambda vmap, x: vmap(torch.add)(x, x[:0]),
        }
    ),
)
def test_different_sizes_are_refused(implementation, device, call):
    assert_refused(implementation, device, call, "size")


@pytest.mark.requirement("errors.nothing_mapped")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, (None,))(x)": lambda vmap, x: vmap(torch.sin, (None,))(x),
            "vmap(torch.add, (None, None))(x, x)": lambda vmap, x: vmap(torch.add, (None, None))(x, x),
            "vmap(lambda a: a['x'], ({'x': None},))({'x': x})": lambda vmap, x: vmap(lambda a: a["x"], ({"x": None},))(
                {"x": x}
            ),
            "vmap(lambda a: x)([])": lambda vmap, x: vmap(lambda a: x)([]),
        }
    ),
)
def test_a_call_in_which_nothing_is_mapped_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "at least one")


@pytest.mark.requirement("errors.no_inputs")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda: x)()": lambda vmap, x: vmap(lambda: x)(),
            "vmap(lambda *, k: k)(k=x)": lambda vmap, x: vmap(lambda *, k: k)(k=x),
        }
    ),
)
def test_a_call_without_inputs_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "input")


@pytest.mark.requirement("errors.no_tensor_mapped")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.add)(x, 3)": lambda vmap, x: vmap(torch.add)(x, 3),
            "vmap(torch.add)(x, 'three')": lambda vmap, x: vmap(torch.add)(x, "three"),
            "vmap(lambda a, b: a)(x, None)": lambda vmap, x: vmap(lambda a, b: a)(x, None),
            "vmap(lambda a: a[0])([x, 3.0])": lambda vmap, x: vmap(lambda a: a[0])([x, 3.0]),
        }
    ),
)
def test_a_mapped_input_that_is_no_tensor_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "tensor")


CORRUPTIONS = {
    "too-many": lambda dims, n: ((*dims, 0) if isinstance(dims, tuple) else (dims,) * (n + 1), "in_dims"),
    "too-far": lambda dims, n: ((9,) * n, "in_dim"),
    "no-int": lambda dims, n: ("0", "in_dims"),
    "nothing": lambda dims, n: ((None,) * n, "at least one"),
}


@pytest.mark.requirement("errors.any")
@given(source=calls(), kind=st.sampled_from(sorted(CORRUPTIONS)))
def test_one_bad_entry_is_refused_and_the_call_without_it_is_right(implementation, device, source, kind):
    call = source.call()
    in_dims, word = CORRUPTIONS[kind](call.in_dims, len(call.args))

    with refuses(word):
        implementation.vmap(call.func, in_dims)(*call.arguments(device))

    assert_source_is_the_loop(implementation, source, device)
