"""Is every bad argument refused, by name, without a trace?"""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conformance.cases.members import members
from conformance.numerics.assertions import assert_same, refuses, unchanged
from conformance.workloads.strategies import calls
from conformance.workloads.vmap_calls import assert_is_the_loop


def bad(*code):
    """Each of these is to be refused."""
    return pytest.mark.parametrize("code", code)


def lazy_linear():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # older releases say that lazy modules are new
        return torch.nn.LazyLinear(3)


def assert_refused(implementation, device, code, word):
    """The code is refused with that word, has changed nothing, and the next good call is right."""
    x, y = (torch.arange(12.0, device=device).reshape(4, 3) for _ in range(2))
    linear = members(lambda: torch.nn.Linear(3, 2), 1, device=device)[0]
    names = {
        "torch": torch,
        "vmap": implementation.vmap,
        "combine": implementation.combine,
        "functional_call": getattr(implementation, "functional_call", None),
        "x": x,
        "y": y,
        "scalar": x[0, 0],
        "linear": linear,
        "lazy": lazy_linear(),
    }

    with unchanged(linear), refuses(word):
        eval(code, names)  # noqa: S307 - the code is this file's

    assert_same((x, y), (torch.arange(12.0, device=device).reshape(4, 3),) * 2)
    assert torch.rand(2, device=device).shape == (2,)
    assert_same(implementation.vmap(lambda row: row.sum() + row)(x), x.sum(1, keepdim=True) + x)


@pytest.mark.requirement("errors.in_dim_out_of_range")
@bad("vmap(torch.sin, 2)(x)", "vmap(torch.sin, -3)(x)", "vmap(torch.add, (0, 5))(x, x)")
def test_an_in_dim_beyond_the_input_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "in_dim")


@pytest.mark.requirement("errors.scalar_input")
@bad("vmap(torch.sin)(scalar)", "vmap(torch.add, (0, -1))(x, scalar)")
def test_a_scalar_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "in_dim|dimension")


@pytest.mark.requirement("errors.in_dims_type")
@bad(
    "vmap(torch.sin, '0')(x)",
    "vmap(torch.sin, 1.0)(x)",
    "vmap(torch.sin, torch.tensor(0))(x)",
    "vmap(torch.sin, None)(x)",
    "vmap(torch.sin, [0])(x)",
    "vmap(torch.sin, {'x': 0})(x)",
)
def test_in_dims_of_another_type_are_refused(implementation, device, code):
    assert_refused(implementation, device, code, "in_dims")


@pytest.mark.requirement("errors.in_dims_bool")
@bad("vmap(torch.sin, True)(x)", "vmap(torch.sin, (False,))(x)")
def test_a_bool_as_in_dim_is_refused_by_name(implementation, device, code):
    assert_refused(implementation, device, code, "in_dim")


@pytest.mark.requirement("errors.in_dims_structure")
@bad(
    "vmap(torch.sin, (0, 0))(x)",
    "vmap(torch.add, (0,))(x, x)",
    "vmap(torch.sin, ())(x)",
    "vmap(torch.sin, ([0],))(x)",
    "vmap(lambda a: a[0], ({'x': 0},))([x])",
    "vmap(lambda a: a['x'], ({'y': 0},))({'x': x})",
)
def test_in_dims_of_another_structure_are_refused(implementation, device, code):
    assert_refused(implementation, device, code, "in_dims")


@pytest.mark.requirement("errors.in_dims_leaf")
@bad("vmap(torch.sin, ('0',))(x)", "vmap(torch.sin, (0.0,))(x)", "vmap(lambda a: a[0], (['0'],))([x])")
def test_an_in_dim_that_is_no_int_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "in_dim")


@pytest.mark.requirement("errors.sizes_differ")
@bad(
    "vmap(torch.add)(x, x[:2])",
    "vmap(torch.add, (0, 1))(x, x)",
    "vmap(torch.add)(x, x[:1])",
    "vmap(torch.add)(x, x[:0])",
)
def test_different_sizes_are_refused(implementation, device, code):
    assert_refused(implementation, device, code, "size")


@pytest.mark.requirement("errors.nothing_mapped")
@bad(
    "vmap(torch.sin, (None,))(x)",
    "vmap(torch.add, (None, None))(x, x)",
    "vmap(lambda a: a['x'], ({'x': None},))({'x': x})",
    "vmap(lambda a: x)([])",
)
def test_a_call_in_which_nothing_is_mapped_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "at least one")


@pytest.mark.requirement("errors.no_inputs")
@bad("vmap(lambda: x)()", "vmap(lambda *, k: k)(k=x)")
def test_a_call_without_inputs_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "input")


@pytest.mark.requirement("errors.no_tensor_mapped")
@bad(
    "vmap(torch.add)(x, 3)",
    "vmap(torch.add)(x, 'three')",
    "vmap(lambda a, b: a)(x, None)",
    "vmap(lambda a: a[0])([x, 3.0])",
)
def test_a_mapped_input_that_is_no_tensor_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "tensor")


@pytest.mark.requirement("errors.out_dim_out_of_range")
@bad(
    "vmap(torch.sin, 0, 2)(x)",
    "vmap(torch.sin, 0, -3)(x)",
    "vmap(torch.sum, 0, 1)(x)",
    "vmap(lambda a: (a, a), 0, (0, 2))(x)",
)
def test_an_out_dim_beyond_the_output_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "dim")


@pytest.mark.requirement("errors.out_dims_type")
@bad("vmap(torch.sin, 0, '0')(x)", "vmap(torch.sin, 0, 1.0)(x)", "vmap(torch.sin, 0, ('0',))(x)")
def test_out_dims_of_another_type_are_refused(implementation, device, code):
    assert_refused(implementation, device, code, "out_dims")


@pytest.mark.requirement("errors.out_dims_bool")
@bad("vmap(torch.sin, 0, True)(x)", "vmap(lambda a: (a, a), 0, (0, True))(x)")
def test_a_bool_as_out_dim_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "out_dim")


@pytest.mark.requirement("errors.out_dims_structure")
@bad(
    "vmap(torch.sin, 0, (0, 0))(x)",
    "vmap(lambda a: (a, a), 0, (0,))(x)",
    "vmap(lambda a: [a, a], 0, (0, 0))(x)",
    "vmap(lambda a: {'x': a}, 0, {'y': 0})(x)",
)
def test_out_dims_of_another_structure_are_refused(implementation, device, code):
    assert_refused(implementation, device, code, "out_dims")


@pytest.mark.requirement("errors.out_dim_none")
@bad("vmap(torch.sin, 0, None)(x)", "vmap(lambda a: (a, a), 0, (0, None))(x)")
def test_none_for_a_mapped_output_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "out_dim")


@pytest.mark.requirement("errors.output_is_no_tensor")
@bad(
    "vmap(lambda a: None)(x)",
    "vmap(lambda a: 3.0)(x)",
    "vmap(lambda a: 'three')(x)",
    "vmap(lambda a: {'x': a, 'n': 3})(x)",
    "vmap(lambda a: (a, [None]))(x)",
)
def test_an_output_that_is_no_tensor_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "tensor")


@pytest.mark.requirement("errors.randomness")
@bad(
    "vmap(torch.sin, randomness='bogus')(x)", "vmap(torch.sin, randomness=None)(x)", "vmap(torch.sin, randomness='')(x)"
)
def test_an_unknown_randomness_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "randomness")


@pytest.mark.requirement("errors.chunk_size_too_small")
@bad("vmap(torch.sin, chunk_size=0)(x)", "vmap(torch.sin, chunk_size=-1)(x)")
def test_a_chunk_size_below_one_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "chunk_size")


@pytest.mark.requirement("errors.chunk_size_type")
@bad(
    "vmap(torch.sin, chunk_size=1.5)(x)",
    "vmap(torch.sin, chunk_size='2')(x)",
    "vmap(torch.sin, chunk_size=True)(x)",
    "vmap(torch.sin, chunk_size=torch.tensor(2.0))(x)",
)
def test_a_chunk_size_that_is_no_int_is_refused_by_name(implementation, device, code):
    assert_refused(implementation, device, code, "chunk_size")


@pytest.mark.requirement("errors.item")
@bad(
    "vmap(lambda a: a.sum() * a.sum().item())(x)",
    "vmap(lambda a: a * float(a.sum()))(x)",
    "vmap(lambda a: a * int(a.sum()))(x)",
)
def test_a_mapped_tensor_gives_no_python_number(implementation, device, code):
    assert_refused(implementation, device, code, "item")


@pytest.mark.requirement("errors.data_dependent_control_flow")
@bad("vmap(lambda a: a if a.sum() > 0 else -a)(x)", "vmap(lambda a: a if a.any() else -a)(x)")
def test_an_if_on_a_mapped_tensor_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "control flow")


@pytest.mark.requirement("errors.data_pointer")
@bad("vmap(lambda a: torch.tensor(a.tolist()))(x)", "vmap(lambda a: torch.from_numpy(a.numpy()))(x)")
def test_a_mapped_tensor_gives_no_memory(implementation, device, code):
    assert_refused(implementation, device, code, "data pointer|storage|numpy")


@pytest.mark.requirement("errors.dynamic_shape")
@bad(
    "vmap(lambda a: a.nonzero())(x)",
    "vmap(lambda a: a.unique())(x)",
    "vmap(lambda a: a[a > 0])(x)",
    "vmap(lambda a: a.masked_select(a > 0))(x)",
)
def test_a_shape_that_depends_on_values_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "dynamic shape|boolean mask|mask")


@pytest.mark.requirement("errors.inplace_on_unmapped")
@bad("vmap(lambda a: y.add_(a))(x)", "vmap(lambda a: y.copy_(a))(x)", "vmap(lambda a: y.__setitem__(0, a[0]))(x)")
def test_a_mapped_value_is_not_written_to_an_unmapped_tensor(implementation, device, code):
    assert_refused(implementation, device, code, "in-?place|shape|not possible")


@pytest.mark.requirement("errors.random_in_error_mode")
@bad(
    "vmap(lambda a: a + torch.rand(2))(x)", "vmap(lambda a: torch.rand_like(a))(x)", "vmap(lambda a: a.bernoulli())(x)"
)
def test_a_random_operation_is_refused_in_error_mode(implementation, device, code):
    assert_refused(implementation, device, code, "random")


@pytest.mark.requirement("errors.comparison_to_one_bool")
@bad("vmap(lambda a: a if torch.allclose(a, a) else -a)(x)", "vmap(lambda a: a if torch.equal(a, a) else -a)(x)")
def test_whole_tensors_are_not_compared_to_one_bool(implementation, device, code):
    assert_refused(implementation, device, code, "allclose|equal")


@pytest.mark.requirement("errors.out_argument")
@bad("vmap(lambda a: torch.add(a, a, out=y[0]))(x)", "vmap(lambda a: torch.mm(a[None], a[:, None], out=y[:1, :1]))(x)")
def test_an_out_argument_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "out")


@pytest.mark.requirement("errors.random_write_to_unmapped")
@bad(
    "vmap(lambda a: a + y.normal_().sum(), randomness='different')(x)",
    "vmap(lambda a: a + y.uniform_().sum(), randomness='different')(x)",
)
def test_random_numbers_are_not_written_to_an_unmapped_tensor(implementation, device, code):
    assert_refused(implementation, device, code, "random")


@pytest.mark.requirement("errors.batch_norm_of_unmapped_buffers")
@bad("vmap(lambda a: torch.nn.functional.batch_norm(a[:, None], y[0, :1], y[1, :1], training=True))(x)")
def test_batch_norm_does_not_update_statistics_that_are_not_mapped(implementation, device, code):
    assert_refused(implementation, device, code, "running_mean")


@pytest.mark.requirement("errors.no_sequence_of_models")
@bad("combine(None)", "combine(model for model in [linear, linear])", "combine(linear)")
def test_what_is_no_sequence_of_models_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "len|sequence|model")


@pytest.mark.requirement("errors.no_models")
@bad("combine([1, 2])", "combine(['linear'])")
def test_a_sequence_of_no_models_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "module|model")


@pytest.mark.requirement("errors.uninitialized_models")
@bad("combine([lazy, lazy])")
def test_lazy_modules_are_refused_before_they_are_initialized(implementation, device, code):
    assert_refused(implementation, device, code, "uninitialized")


@pytest.mark.requirement("errors.state_is_no_dict")
@bad(
    "functional_call(linear, None, (x,))",
    "functional_call(linear, 'weight', (x,))",
    "functional_call(linear, (1, 2), (x,))",
    "functional_call(linear, [{}, None], (x,))",
)
def test_state_that_is_no_dict_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "dict")


@pytest.mark.requirement("errors.value_is_no_tensor")
@bad(
    "functional_call(linear, {'weight': 3}, (x,))",
    "functional_call(linear, {'weight': 'w'}, (x,))",
    "functional_call(linear, {'weight': [1.0]}, (x,))",
)
def test_a_value_that_is_no_tensor_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "tensor")


@pytest.mark.requirement("errors.value_is_none")
@bad("functional_call(linear, {'bias': None}, (x,))")
def test_none_as_a_value_is_refused(implementation, device, code):
    assert_refused(implementation, device, code, "None|tensor")


CORRUPTIONS = {
    "too-many": lambda dims, n: ((*dims, 0) if isinstance(dims, tuple) else (dims,) * (n + 1), "in_dims"),
    "too-far": lambda dims, n: ((9,) * n, "in_dim"),
    "no-int": lambda dims, n: ("0", "in_dims"),
    "nothing": lambda dims, n: ((None,) * n, "at least one"),
}


@pytest.mark.requirement("errors.any")
@given(call=calls(), kind=st.sampled_from(sorted(CORRUPTIONS)))
def test_one_bad_entry_is_refused_and_the_call_without_it_is_right(implementation, device, call, kind):
    args = call.arguments(device)
    in_dims, word = CORRUPTIONS[kind](call.in_dims, len(args))

    with refuses(word):
        implementation.vmap(call.function(), in_dims)(*args)

    assert_is_the_loop(implementation, call, device)
