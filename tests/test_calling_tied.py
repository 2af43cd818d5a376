"""Which names does a value for a tied parameter count for?"""

import copy

import pytest
from torch import nn

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.networks import TiedNet
from conformance.numerics.assertions import assert_distinct, refuses, unchanged
from conformance.utils.module_state import state_of
from conformance.workloads.functional_calls import assert_output_of, copied_state, make_two


@pytest.mark.requirement("calling.tie_weights")
@pytest.mark.parametrize("name", ["embedding.weight", "head.weight"])
def test_a_value_for_one_tied_name_counts_for_all(implementation, device, name):
    module, other = make_two(TiedNet, device=device)
    x = draw_tokens(SAMPLES, device=device)
    state = copied_state(state_of(other))
    given = {name: state.pop("embedding.weight"), **state}

    out = implementation.functional_call(module, given, (x,))

    assert_output_of(out, other, x)


@pytest.mark.requirement("calling.tie_weights_off")
@pytest.mark.parametrize(
    "names", [["embedding.weight"], ["head.weight"], ["embedding.weight", "head.weight"]], ids="+".join
)
def test_without_ties_a_value_counts_for_its_name_alone(implementation, device, names):
    module, other = make_two(TiedNet, device=device)
    x = draw_tokens(SAMPLES, device=device)
    given = {name: draw(11, 3, seed=i + 1, device=device) for i, name in enumerate(names)}
    untied = copy.deepcopy(module)
    untied.head.weight = nn.Parameter(untied.embedding.weight.detach().clone())
    untied.load_state_dict(given, strict=False)

    out = implementation.functional_call(module, given, (x,), tie_weights=False)

    assert_distinct(out, module(x), other(x))
    assert_output_of(out, untied, x)
    assert module.head.weight is module.embedding.weight


@pytest.mark.requirement("calling.refuses_different_tied_values")
def test_different_values_for_tied_names_are_refused(implementation, device):
    module, other = make_two(TiedNet, device=device)
    given = copied_state(state_of(other)) | {"head.weight": draw(11, 3, device=device)}

    with refuses("tied|multiple values"), unchanged(module):
        implementation.functional_call(module, given, (draw_tokens(SAMPLES, device=device),))
