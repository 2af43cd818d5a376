"""Which inputs does vmap map: any layout, views, one tensor several times, none at all?"""

import pytest
import torch

from conformance.cases.data import draw
from conformance.numerics.assertions import assert_same
from conformance.workloads.vmap_calls import BOX, CUBE, VmapCall, assert_is_the_loop


@pytest.mark.requirement("in_dims.same_tensor")
@pytest.mark.parametrize("x", [BOX, CUBE], ids=["box", "cube"])
def test_one_tensor_is_passed_under_several_dimensions(implementation, device, x):
    square = torch.arange(9.0).reshape(3, 3)
    same = VmapCall(lambda a: a[0] + 2 * a[1], ([square, square],), ([0, 1],))
    as_it_is = VmapCall(lambda a: a[0] + 2 * a[1].sum(), ((x, x),), ((1, None),))

    assert_is_the_loop(implementation, same, device)
    assert_is_the_loop(implementation, as_it_is, device)


LAYOUTS = {
    "transposed": torch.arange(105.0).reshape(7, 5, 3).permute(2, 1, 0),
    "expanded-over-members": torch.arange(35.0).reshape(1, 5, 7).expand(3, 5, 7),
    "expanded-within": torch.arange(15.0).reshape(3, 5, 1).expand(3, 5, 7),
    "strided": torch.arange(210.0).reshape(3, 5, 14)[..., ::2],
    "offset": torch.arange(140.0).reshape(4, 5, 7)[1:],
    "channels_last": torch.arange(315.0).reshape(3, 5, 7, 3).contiguous(memory_format=torch.channels_last)[..., 0],
}


@pytest.mark.requirement("in_dims.layouts")
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_an_input_does_not_matter(implementation, device, layout, dim):
    def func(a):
        return a.mT + 1, a.reshape(-1) * 2, a.sum(0)

    expected = VmapCall(func, (LAYOUTS[layout].contiguous(),), dim).expected(device)

    assert_same(VmapCall(func, (LAYOUTS[layout],), dim).actual(implementation, device), expected)


VIEWS = {
    "a[1:]": lambda a: a[1:],
    "a[..., 0]": lambda a: a[..., 0],
    "a.T": lambda a: a.T,
    "a.unsqueeze(1)": lambda a: a.unsqueeze(1),
    "a.flatten()": lambda a: a.flatten(),
    "a.expand(2, *a.shape)": lambda a: a.expand(2, *a.shape),
    "a.diagonal()": lambda a: a.diagonal(),
    "a[:, ::2]": lambda a: a[:, ::2],
}


@pytest.mark.requirement("in_dims.views")
@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("view", list(VIEWS.values()), ids=list(VIEWS))
def test_a_view_is_a_view_of_the_slice(implementation, device, view, dim):
    assert_is_the_loop(implementation, VmapCall(lambda a: (view(a) + 1, view(a), a), (BOX,), dim), device)


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
        pytest.param(VmapCall(lambda a: (a + 1, a.sum(0), a @ a.mT), (torch.ones(0, 5, 7),)), id="first"),
        pytest.param(VmapCall(lambda a: (a + 1, a.sum(0)), (torch.ones(5, 7, 0),), -1), id="last"),
        pytest.param(
            VmapCall(lambda a, b: a + b, (torch.ones(0, 5), torch.ones(5)), (0, None)), id="with-a-shared-input"
        ),
    ],
)
def test_no_members_give_an_empty_output_of_the_right_shape(implementation, device, call):
    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("in_dims.empty_scalars")
@pytest.mark.parametrize(
    "func", [lambda a: a + 1, lambda a: a * torch.ones(2, device=a.device)], ids=["number", "tensor"]
)
def test_no_members_that_are_scalars_give_an_empty_output(implementation, device, func):
    assert_is_the_loop(implementation, VmapCall(func, (torch.ones(0),)), device)


@pytest.mark.requirement("in_dims.kwargs")
def test_keyword_arguments_are_not_mapped(implementation, device):
    x, k = draw(3, 5, seed=1, device=device), draw(3, 5, seed=2, device=device)

    out = implementation.vmap(lambda a, *, k: a + k)(x, k=k)

    assert_same(out, torch.stack([row + k for row in x]))
