"""Are bad out_dims, outputs and options refused, by name, without a trace?"""

import pytest
import torch

from conformance.workloads.bad_calls import assert_refused, named


@pytest.mark.requirement("errors.out_dim_out_of_range")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, 0, 2)(x)": lambda vmap, x: vmap(torch.sin, 0, 2)(x),
            "vmap(torch.sin, 0, -3)(x)": lambda vmap, x: vmap(torch.sin, 0, -3)(x),
            "vmap(torch.sum, 0, 1)(x)": lambda vmap, x: vmap(torch.sum, 0, 1)(x),
            "vmap(lambda a: (a, a), 0, (0, 2))(x)": lambda vmap, x: vmap(lambda a: (a, a), 0, (0, 2))(x),
        }
    ),
)
def test_an_out_dim_beyond_the_output_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "dim")


@pytest.mark.requirement("errors.out_dims_type")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, 0, '0')(x)": lambda vmap, x: vmap(torch.sin, 0, "0")(x),
            "vmap(torch.sin, 0, 1.0)(x)": lambda vmap, x: vmap(torch.sin, 0, 1.0)(x),
            "vmap(torch.sin, 0, ('0',))(x)": lambda vmap, x: vmap(torch.sin, 0, ("0",))(x),
        }
    ),
)
def test_out_dims_of_another_type_are_refused(implementation, device, call):
    assert_refused(implementation, device, call, "out_dims")


@pytest.mark.requirement("errors.out_dims_bool")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, 0, True)(x)": lambda vmap, x: vmap(torch.sin, 0, True)(x),
            "vmap(lambda a: (a, a), 0, (0, True))(x)": lambda vmap, x: vmap(lambda a: (a, a), 0, (0, True))(x),
        }
    ),
)
def test_a_bool_as_out_dim_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "out_dim")


@pytest.mark.requirement("errors.out_dims_structure")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, 0, (0, 0))(x)": lambda vmap, x: vmap(torch.sin, 0, (0, 0))(x),
            "vmap(lambda a: (a, a), 0, (0,))(x)": lambda vmap, x: vmap(lambda a: (a, a), 0, (0,))(x),
            "vmap(lambda a: [a, a], 0, (0, 0))(x)": lambda vmap, x: vmap(lambda a: [a, a], 0, (0, 0))(x),
            "vmap(lambda a: {'x': a}, 0, {'y': 0})(x)": lambda vmap, x: vmap(lambda a: {"x": a}, 0, {"y": 0})(x),
        }
    ),
)
def test_out_dims_of_another_structure_are_refused(implementation, device, call):
    assert_refused(implementation, device, call, "out_dims")


@pytest.mark.requirement("errors.out_dim_none")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, 0, None)(x)": lambda vmap, x: vmap(torch.sin, 0, None)(x),
            "vmap(lambda a: (a, a), 0, (0, None))(x)": lambda vmap, x: vmap(lambda a: (a, a), 0, (0, None))(x),
        }
    ),
)
def test_none_for_a_mapped_output_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "out_dim")


@pytest.mark.requirement("errors.output_is_no_tensor")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: None)(x)": lambda vmap, x: vmap(lambda a: None)(x),
            "vmap(lambda a: 3.0)(x)": lambda vmap, x: vmap(lambda a: 3.0)(x),
            "vmap(lambda a: 'three')(x)": lambda vmap, x: vmap(lambda a: "three")(x),
            "vmap(lambda a: {'x': a, 'n': 3})(x)": lambda vmap, x: vmap(lambda a: {"x": a, "n": 3})(x),
            "vmap(lambda a: (a, [None]))(x)": lambda vmap, x: vmap(lambda a: (a, [None]))(x),
        }
    ),
)
def test_an_output_that_is_no_tensor_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "tensor")


@pytest.mark.requirement("errors.randomness")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, randomness='bogus')(x)": lambda vmap, x: vmap(torch.sin, randomness="bogus")(x),
            "vmap(torch.sin, randomness=None)(x)": lambda vmap, x: vmap(torch.sin, randomness=None)(x),
            "vmap(torch.sin, randomness='')(x)": lambda vmap, x: vmap(torch.sin, randomness="")(x),
        }
    ),
)
def test_an_unknown_randomness_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "randomness")


@pytest.mark.requirement("errors.chunk_size_too_small")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, chunk_size=0)(x)": lambda vmap, x: vmap(torch.sin, chunk_size=0)(x),
            "vmap(torch.sin, chunk_size=-1)(x)": lambda vmap, x: vmap(torch.sin, chunk_size=-1)(x),
        }
    ),
)
def test_a_chunk_size_below_one_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "chunk_size")


@pytest.mark.requirement("errors.chunk_size_type")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(torch.sin, chunk_size=1.5)(x)": lambda vmap, x: vmap(torch.sin, chunk_size=1.5)(x),
            "vmap(torch.sin, chunk_size='2')(x)": lambda vmap, x: vmap(torch.sin, chunk_size="2")(x),
            "vmap(torch.sin, chunk_size=True)(x)": lambda vmap, x: vmap(torch.sin, chunk_size=True)(x),
            "vmap(torch.sin, chunk_size=torch.tensor(2.0))(x)": lambda vmap, x: vmap(
                torch.sin, chunk_size=torch.tensor(2.0)
            )(x),
        }
    ),
)
def test_a_chunk_size_that_is_no_int_is_refused_by_name(implementation, device, call):
    assert_refused(implementation, device, call, "chunk_size")
