"""Is a function that can't be mapped refused, by name, without a trace?"""

import pytest
import torch

from conformance.workloads.bad_calls import assert_refused, named


@pytest.mark.requirement("errors.item")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: a.sum() * a.sum().item())(x)": lambda vmap, x: vmap(lambda a: a.sum() * a.sum().item())(x),
            "vmap(lambda a: a * float(a.sum()))(x)": lambda vmap, x: vmap(lambda a: a * float(a.sum()))(x),
            "vmap(lambda a: a * int(a.sum()))(x)": lambda vmap, x: vmap(lambda a: a * int(a.sum()))(x),
        }
    ),
)
def test_a_mapped_tensor_gives_no_python_number(implementation, device, call):
    assert_refused(implementation, device, call, "item")


@pytest.mark.requirement("errors.data_dependent_control_flow")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: a if a.sum() > 0 else -a)(x)": lambda vmap, x: vmap(lambda a: a if a.sum() > 0 else -a)(x),
            "vmap(lambda a: a if a.any() else -a)(x)": lambda vmap, x: vmap(lambda a: a if a.any() else -a)(x),
        }
    ),
)
def test_an_if_on_a_mapped_tensor_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "control flow")


@pytest.mark.requirement("errors.data_pointer")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: torch.tensor(a.tolist()))(x)": lambda vmap, x: vmap(lambda a: torch.tensor(a.tolist()))(x),
            "vmap(lambda a: torch.from_numpy(a.numpy()))(x)": lambda vmap, x: vmap(
                lambda a: torch.from_numpy(a.numpy())
            )(x),
        }
    ),
)
def test_a_mapped_tensor_gives_no_memory(implementation, device, call):
    assert_refused(implementation, device, call, "data pointer|storage|numpy")


@pytest.mark.requirement("errors.dynamic_shape")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: a.nonzero())(x)": lambda vmap, x: vmap(lambda a: a.nonzero())(x),
            "vmap(lambda a: a.unique())(x)": lambda vmap, x: vmap(lambda a: a.unique())(x),
            "vmap(lambda a: a[a > 0])(x)": lambda vmap, x: vmap(lambda a: a[a > 0])(x),
            "vmap(lambda a: a.masked_select(a > 0))(x)": lambda vmap, x: vmap(lambda a: a.masked_select(a > 0))(x),
        }
    ),
)
def test_a_shape_that_depends_on_values_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "dynamic shape|boolean mask|mask")


@pytest.mark.requirement("errors.inplace_on_unmapped")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: y.add_(a))(x)": lambda vmap, x, y: vmap(lambda a: y.add_(a))(x),  # noqa: PLW0108 - as its name says
            "vmap(lambda a: y.copy_(a))(x)": lambda vmap, x, y: vmap(lambda a: y.copy_(a))(x),  # noqa: PLW0108 - as its name says
            "vmap(lambda a: y.__setitem__(0, a[0]))(x)": lambda vmap, x, y: vmap(lambda a: y.__setitem__(0, a[0]))(x),
        }
    ),
)
def test_a_mapped_value_is_not_written_to_an_unmapped_tensor(implementation, device, call):
    assert_refused(implementation, device, call, "in-?place|shape|not possible")


@pytest.mark.requirement("errors.random_in_error_mode")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: a + torch.rand(2))(x)": lambda vmap, x: vmap(lambda a: a + torch.rand(2))(x),
            "vmap(lambda a: torch.rand_like(a))(x)": lambda vmap, x: vmap(lambda a: torch.rand_like(a))(x),  # noqa: PLW0108 - as its name says
            "vmap(lambda a: a.bernoulli())(x)": lambda vmap, x: vmap(lambda a: a.bernoulli())(x),
        }
    ),
)
def test_a_random_operation_is_refused_in_error_mode(implementation, device, call):
    assert_refused(implementation, device, call, "random")


@pytest.mark.requirement("errors.comparison_to_one_bool")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: a if torch.allclose(a, a) else -a)(x)": lambda vmap, x: vmap(
                lambda a: a if torch.allclose(a, a) else -a
            )(x),
            "vmap(lambda a: a if torch.equal(a, a) else -a)(x)": lambda vmap, x: vmap(
                lambda a: a if torch.equal(a, a) else -a
            )(x),
        }
    ),
)
def test_whole_tensors_are_not_compared_to_one_bool(implementation, device, call):
    assert_refused(implementation, device, call, "allclose|equal")


@pytest.mark.requirement("errors.out_argument")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: torch.add(a, a, out=y[0]))(x)": lambda vmap, x, y: vmap(
                lambda a: torch.add(a, a, out=y[0])
            )(x),
            "vmap(lambda a: torch.mm(a[None], a[:, None], out=y[:1, :1]))(x)": lambda vmap, x, y: vmap(
                lambda a: torch.mm(a[None], a[:, None], out=y[:1, :1])
            )(x),
        }
    ),
)
def test_an_out_argument_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "out")


@pytest.mark.requirement("errors.random_write_to_unmapped")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "vmap(lambda a: a + y.normal_().sum(), randomness='different')(x)": lambda vmap, x, y: vmap(
                lambda a: a + y.normal_().sum(), randomness="different"
            )(x),
            "vmap(lambda a: a + y.uniform_().sum(), randomness='different')(x)": lambda vmap, x, y: vmap(
                lambda a: a + y.uniform_().sum(), randomness="different"
            )(x),
        }
    ),
)
def test_random_numbers_are_not_written_to_an_unmapped_tensor(implementation, device, call):
    assert_refused(implementation, device, call, "random")


@pytest.mark.requirement("errors.batch_norm_of_unmapped_buffers")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            (
                "vmap(lambda a: torch.nn.functional.batch_norm(a[:, None], y[0, :1], y[1, :1], training=True))(x)"
            ): lambda vmap, x, y: vmap(
                lambda a: torch.nn.functional.batch_norm(a[:, None], y[0, :1], y[1, :1], training=True)
            )(x),
        }
    ),
)
def test_batch_norm_does_not_update_statistics_that_are_not_mapped(implementation, device, call):
    assert_refused(implementation, device, call, "running_mean")
