"""What may a member's forward do in Python, and does each refusal name its reason?"""

import math
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.side_effects import LinearThenBody, NumpyFunction
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.workloads.forward import forward


def bodies(**named):
    """Return the parametrization over functions of a member's hidden layer and its input."""
    return pytest.mark.parametrize("body", named.values(), ids=named)


def assert_refused(implementation, device, body, word):
    """Assert that plain members run, the ensemble is refused with that word, and no state changes."""
    models = members(partial(LinearThenBody, body), MEMBERS, device=device)
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    ensemble = Ensemble(implementation, models)
    before = {name: tensor.clone() for name, tensor in ensemble.detached.items()}
    with torch.no_grad():
        models[0](x[0])

    with unchanged(*models), refuses(word):
        ensemble(x)

    assert_same((ensemble.detached, x), (before, draw(MEMBERS, SAMPLES, 3, device=device)))
    assert torch.rand(2, device=device).shape == (2,)
    assert_same(implementation.vmap(lambda row: row.sum() + row)(x[0]), x[0].sum(1, keepdim=True) + x[0])


def assert_is_the_loop(implementation, device, body, data=0):
    """Assert that the ensemble gives the loop's outputs, for own minibatches or a shared one."""
    models = members(partial(LinearThenBody, body), MEMBERS, device=device)
    x = draw(MEMBERS, SAMPLES, 3, device=device) if data == 0 else draw(SAMPLES, 3, device=device)
    expected = loop(forward, models, list(x) if data == 0 else [x] * MEMBERS)

    out = Ensemble(implementation, models)(x, data)

    assert_members_close(out, expected)


@pytest.mark.requirement("purity.python_numbers")
@bodies(
    item=lambda h, _: h * h.sum().item(),
    float=lambda h, _: h * float(h.sum()),
    int=lambda h, _: h * int(h.sum()),
    tolist=lambda h, _: h + len(h.tolist()),
    numpy=NumpyFunction(lambda h, _: h + h.detach().cpu().numpy().max()),
    math=lambda h, _: h * math.exp(h.sum()),
    format=lambda h, _: h * len(f"{h.sum():.2f}"),
    range=lambda h, _: h * sum(1 for _ in range(h[0].argmax())),
    index=lambda h, _: h * list(range(11))[h[0].argmax()],
    slice=lambda h, _: h[: 1 + h[:, 0].argmax()],
    contains=lambda h, _: h * (1.0 in h),
)
def test_a_member_that_asks_for_python_numbers_is_refused(implementation, device, body):
    assert_refused(implementation, device, body, r"\.item\(\)|data pointer|storage|numpy")


@pytest.mark.requirement("purity.decisions")
@bodies(
    **{
        "if": lambda h, _: h if h.sum() > 0 else -h,
        "and": lambda h, _: (h.sum() > 0 and h.cos()) + h,
        "not": lambda h, _: h * (not h[0, 0]),
        "bool": lambda h, _: h * bool(h.any()),
        "max": lambda h, _: h * max(h[0]),
        "sorted": lambda h, _: h + sorted(h[0])[1],
        "all": lambda h, _: h * all(h[0] > 0),
    },
)
def test_a_member_that_decides_by_its_values_is_refused(implementation, device, body):
    assert_refused(implementation, device, body, "control flow")


@pytest.mark.requirement("purity.dynamic_shapes")
@bodies(
    nonzero=lambda h, _: h.nonzero(),
    nonzero_as_tuple=lambda h, _: h[h[:, 0].nonzero(as_tuple=True)],
    where=lambda h, _: torch.where(h > 0)[0],
    unique=lambda h, _: h.round().unique(),
    unique_consecutive=lambda h, _: h.round().unique_consecutive(),
    mask=lambda h, _: h[h > 0],
    mask_of_rows=lambda h, _: h[h[:, 0] > 0],
    masked_select=lambda h, _: h.masked_select(h > 0),
    one_hot=lambda h, _: F.one_hot(h.argmax(1)),
    tensor_split=lambda h, _: torch.tensor_split(h, (h[:2, 0] > 0).long().cpu())[0],
)
def test_a_member_whose_shapes_depend_on_values_is_refused(implementation, device, body):
    assert_refused(implementation, device, body, "dynamic shape|nonzero|mask|num_classes|tensor_split")


def halves(h, most):
    """Return integers from 0 to `most`, half of them 0 in every member."""
    return (h > h.median()).long().flatten() * most


@pytest.mark.requirement("purity.shapes_that_differ")
@bodies(
    argwhere=lambda h, _: (h > 0).argwhere(),
    bincount=lambda h, _: (h[0].argmax()[None]).bincount(),
    repeat_interleave=lambda h, _: h[0].repeat_interleave(h[0].argsort() // 4 * (h[0] > 0)),
)
def test_shapes_that_differ_between_members_are_refused(implementation, device, body):
    assert_refused(implementation, device, body, "dynamic shape|equal size|output_size")


@pytest.mark.requirement("purity.shapes_that_agree")
@bodies(argwhere=lambda h, _: halves(h, 1).argwhere(), bincount=lambda h, _: halves(h, 3).bincount())
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_shapes_that_agree_by_chance_are_those_of_the_loop(implementation, device, body):
    assert_is_the_loop(implementation, device, body)


@dataclass
class Result:
    hidden: Tensor


@pytest.mark.requirement("purity.returns")
@bodies(
    number=lambda h, _: 3.0,
    none=lambda h, _: None,
    string=lambda h, _: "three",
    shape=lambda h, _: (h, h.shape),
    number_in_dict=lambda h, _: {"hidden": h, "samples": len(h)},
    dataclass=lambda h, _: Result(h),
    generator=lambda h, _: (row for row in h),
)
def test_a_member_that_returns_what_is_no_tensor_is_refused(implementation, device, body):
    assert_refused(implementation, device, body, "tensor")


@pytest.mark.requirement("purity.masks_instead")
@bodies(
    where=lambda h, _: torch.where(h > 0, h.exp(), -h),
    where_of_sums=lambda h, _: torch.where(h.sum() > 0, h, -h),
    product=lambda h, _: h * (h > 0) - (h <= 0).to(h.dtype),
    masked_fill=lambda h, _: h.masked_fill(h < 0, 3.0),
    masked_mean=lambda h, _: (h * (h > 0)).sum(0) / (1 + (h > 0).sum(0)),
    maximum=lambda h, _: torch.maximum(h, h.mean()),
    index=lambda h, _: h[torch.arange(SAMPLES, device=h.device), h.argmax(1)],
    gather=lambda h, _: h.gather(1, h.argsort(1)[:, :2]),
    topk=lambda h, _: h.topk(3).values,
    one_hot=lambda h, _: F.one_hot(h.argmax(1), num_classes=11) * h,
)
def test_masks_and_indices_do_what_decisions_can_not(implementation, device, body):
    assert_is_the_loop(implementation, device, body)


@pytest.mark.requirement("purity.same_for_all")
@bodies(
    shape=lambda h, _: h if h.shape == (SAMPLES, 11) else -h,
    length=lambda h, _: h * len(h) + sum(row.mean() for row in h),
    dtype=lambda h, x: h.to(torch.float64) if h.dtype == torch.float32 and h.ndim == 2 else h - 1,
    static_mask=lambda h, _: h[:, torch.tensor([True, False] * 5 + [True], device=h.device)],
    grad_mode=lambda h, _: h if torch.is_grad_enabled() else -h,
)
def test_what_is_the_same_for_all_members_may_decide(implementation, device, body):
    models = members(partial(LinearThenBody, body), MEMBERS, device=device, dtype=torch.float64)
    x = draw(MEMBERS, SAMPLES, 3, device=device, dtype=torch.float64)
    expected = loop(forward, models, list(x))

    out = Ensemble(implementation, models)(x)

    assert_distinct(*out)
    assert_members_close(out, expected)


@pytest.mark.requirement("purity.shared_data")
@bodies(
    item=lambda h, x: h * x.sum().item(),
    tolist=lambda h, x: h * x[0].tolist()[0],
    numpy=NumpyFunction(lambda h, x: h * float(x.cpu().numpy().max())),
    **{"if": lambda h, x: h if x[0, 0] > 0 else -h.exp()},
    nonzero=lambda h, x: h[x[:, 0].argsort().nonzero()[:, 0]],
    unique=lambda h, x: h.sum() * x.sign().unique(),
    mask=lambda h, x: h[x[:, 0] > x[:, 0].mean()],
    repeat_interleave=lambda h, x: h.repeat_interleave(x[:, 0].argsort(), 0),
)
def test_shared_data_may_decide(implementation, device, body):
    assert_is_the_loop(implementation, device, body, data=None)


@pytest.mark.requirement("purity.requires_grad")
def test_inside_no_tensor_says_that_it_requires_gradients(implementation, device):
    said = []
    models = members(
        partial(LinearThenBody, lambda h, _: said.append((h.requires_grad, h.grad_fn)) or h), 2, device=device
    )
    ensemble = Ensemble(implementation, models)

    out = ensemble(draw(SAMPLES, 3, device=device), None)

    assert out.requires_grad
    assert said == [(False, None)]
