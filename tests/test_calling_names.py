"""Which names may the given state have, and which are refused?"""

import copy

import pytest
import torch
from torch import nn

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.networks import NormNet, TiedNet
from conformance.numerics.assertions import assert_distinct, refuses, unchanged
from conformance.utils.module_state import state_of
from conformance.workloads.functional_calls import assert_output_of, copied_state, make_two, state_names


@pytest.mark.requirement("calling.several_dicts")
@pytest.mark.parametrize("form", [tuple, list], ids=["tuple", "list"])
@pytest.mark.parametrize("order", ["params-first", "buffers-first", "one-each"])
def test_several_dicts_count_as_one(implementation, device, form, order):
    module, other = make_two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)
    params, buffers = copied_state(dict(other.named_parameters())), copied_state(dict(other.named_buffers()))
    one_each = [{name: tensor} for name, tensor in (params | buffers).items()]
    dicts = {"params-first": [params, buffers], "buffers-first": [{}, buffers, params], "one-each": one_each}[order]

    out = implementation.functional_call(module, form(dicts), (x,))

    assert_output_of(out, other, x)


@pytest.mark.requirement("calling.refuses_a_key_twice")
@pytest.mark.parametrize("values", ["same", "different"])
def test_a_name_in_two_dicts_is_refused(implementation, device, values):
    module, other = make_two(NormNet, device=device)
    state = copied_state(state_of(other))
    again = {"fc2.bias": state["fc2.bias"] if values == "same" else state["fc2.bias"] + 1}

    with refuses("multiple|twice"):
        implementation.functional_call(module, (state, again), (draw(SAMPLES, 3, device=device),))


@pytest.mark.requirement("calling.strict")
@pytest.mark.parametrize("factory", [NormNet, TiedNet], ids=lambda factory: factory.__name__)
def test_strict_accepts_all_names_of_the_module(implementation, device, factory):
    module, other = make_two(factory, device=device)
    x = draw(SAMPLES, 3, device=device) if factory is NormNet else draw_tokens(SAMPLES, device=device)

    out = implementation.functional_call(module, copied_state(state_of(other)), (x,), strict=True)

    assert_output_of(out, other, x)


@pytest.mark.requirement("calling.strict_refuses_unknown_keys")
@pytest.mark.parametrize("name", ["nope", "fc1.nope"])
def test_strict_refuses_a_name_that_the_module_has_not(implementation, device, name):
    module, other = make_two(NormNet, device=device)
    given = {**copied_state(state_of(other)), name: torch.zeros(3, device=device)}

    with refuses(name), unchanged(module):
        implementation.functional_call(module, given, (draw(SAMPLES, 3, device=device),), strict=True)


@pytest.mark.requirement("calling.strict_refuses_missing_keys")
@pytest.mark.parametrize("name", state_names(NormNet))
def test_strict_refuses_state_that_lacks_a_name(implementation, device, name):
    module, other = make_two(NormNet, device=device)
    given = copied_state(state_of(other))
    del given[name]

    with refuses(name), unchanged(module):
        implementation.functional_call(module, given, (draw(SAMPLES, 3, device=device),), strict=True)


@pytest.mark.requirement("calling.missing_keys")
def test_a_missing_name_falls_back_to_the_modules_own_tensor(implementation, device):
    module, other = make_two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)
    given = copied_state(state_of(other))
    del given["fc1.weight"]
    with torch.no_grad():
        other.fc1.weight.copy_(module.fc1.weight)

    out = implementation.functional_call(module, given, (x,))

    assert_output_of(out, other, x)


@pytest.mark.requirement("calling.unknown_keys")
def test_an_unknown_name_is_ignored(implementation, device):
    module, other = make_two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)

    with unchanged(module):
        out = implementation.functional_call(module, copied_state(state_of(other)) | {"nope": torch.zeros(3)}, (x,))

    assert_output_of(out, other, x)
    assert not hasattr(module, "nope")


@pytest.mark.requirement("calling.unknown_nested_keys")
def test_an_unknown_name_is_treated_alike_at_every_depth(implementation, device):
    module, other = make_two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)

    out = implementation.functional_call(
        module, copied_state(state_of(other)) | {"no.such.module": torch.zeros(3)}, (x,)
    )

    assert_output_of(out, other, x)


def nested():
    """Return linear layers one, two and three levels deep, of one shape, so that confusing them raises no error."""
    innermost = nn.Sequential(nn.Tanh(), nn.Linear(3, 3))
    return nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 3), innermost))


@pytest.mark.requirement("calling.nested_modules")
@pytest.mark.parametrize("name", state_names(nested))
def test_dotted_names_reach_nested_tensors(implementation, device, name):
    module, other = make_two(nested, device=device)
    x = draw(SAMPLES, 3, device=device)
    given = {name: copied_state(state_of(other))[name]}
    expected = copy.deepcopy(module)
    expected.load_state_dict(given, strict=False)

    with unchanged(module):
        out = implementation.functional_call(module, given, (x,))

    assert_distinct(out, module(x))
    assert_output_of(out, expected, x)
