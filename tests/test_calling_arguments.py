"""How do positional and keyword arguments reach the module?"""

import pytest
import torch

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.numerics.assertions import assert_members_close, assert_same
from conformance.numerics.plain_loop import loop
from conformance.utils.module_state import state_of
from conformance.workloads.functional_calls import Affine, copied_state, make_two, member_slice


@pytest.mark.requirement("calling.fmodel_arguments")
def test_the_combined_function_passes_arguments_on(implementation, device):
    models = members(Affine, MEMBERS, device=device)
    x, shift = draw(SAMPLES, 3, seed=1, device=device), draw(SAMPLES, 3, seed=2, device=device)
    fmodel, params, buffers = implementation.combine(models)

    outs = [fmodel(member_slice(params, i), member_slice(buffers, i), x, 2.0, shift=shift) for i in range(MEMBERS)]

    assert_members_close(torch.stack(outs), loop(lambda m, x: m(x, 2.0, shift=shift.to(x)), models, [x] * MEMBERS))


@pytest.mark.requirement("calling.args")
@pytest.mark.parametrize("form", ["tuple", "tensor", "two", "list"])
def test_positional_arguments_are_a_tuple_or_one_argument(implementation, device, form):
    (module, other), x = make_two(Affine, device=device), draw(SAMPLES, 3, device=device)
    args = {"tuple": (x,), "tensor": x, "two": (x, 2.0), "list": [x]}[form]

    out = implementation.functional_call(module, copied_state(state_of(other)), args)

    assert_same(out, other(*args) if isinstance(args, tuple) else other(args))


@pytest.mark.requirement("calling.kwargs")
@pytest.mark.parametrize("form", ["beside-args", "alone", "none"])
def test_keyword_arguments_reach_forward_by_name(implementation, device, form):
    (module, other), x = make_two(Affine, device=device), draw(SAMPLES, 3, device=device)
    args = () if form == "alone" else (x,)
    kwargs = {"beside-args": {"shift": 3.0, "scale": 2.0}, "alone": {"x": x, "shift": 3.0}, "none": None}[form]

    out = implementation.functional_call(module, copied_state(state_of(other)), args, kwargs)

    assert_same(out, other(*args, **(kwargs or {})))
    assert form == "none" or not torch.equal(out, other(x))


@pytest.mark.requirement("calling.args_omitted")
def test_positional_arguments_can_be_left_out(implementation, device):
    (module, other), x = make_two(Affine, device=device), draw(SAMPLES, 3, device=device)

    out = implementation.functional_call(module, copied_state(state_of(other)), kwargs={"x": x})

    assert_same(out, other(x))
