"""Which random operations are refused, and is none left without a case?"""

import pytest

from conformance.cases.members import MEMBERS
from conformance.cases.operations import random_ops
from conformance.cases.operations.outcome import attempt
from conformance.cases.operations.random_op import OWN, SHARED, draw_with_vmap, make_inputs
from conformance.numerics.assertions import assert_same, refuses
from conformance.report.tables import REFUSED
from conformance.utils.rng import state
from conformance.workloads.random_draws import TABLE

each_operation = pytest.mark.parametrize("draw", [*random_ops.RANDOM_OPERATIONS, *random_ops.COMPOSITES], ids=str)
each_attention = pytest.mark.parametrize("draw", random_ops.ATTENTION, ids=str)
each_recurrent = pytest.mark.parametrize("draw", random_ops.RECURRENT, ids=str)
own_and_shared = pytest.mark.parametrize("whose", [OWN, SHARED])


def assert_nothing_drawn(implementation, device, record_property, draw, whose):
    x = make_inputs(MEMBERS, device)
    before = state(device)

    outcome = attempt(lambda: draw_with_vmap(implementation, draw.one, x, whose, "error"))

    says = REFUSED if outcome.refusal else "drawn"
    cell = {"table": TABLE, "row": draw.name, "column": f"error, {whose}", "passes": says, "fails": says}
    record_property("cell", cell)
    with refuses(f"random|{draw.native}|autograd.Function"):
        outcome.value_or_raise()
    assert_same(state(device), before)


@pytest.mark.requirement("randomness.error")
@each_operation
@own_and_shared
def test_in_mode_error_a_random_operation_is_refused(implementation, device, record_property, draw, whose):
    assert_nothing_drawn(implementation, device, record_property, draw, whose)


@pytest.mark.requirement("randomness.recurrent")
@each_recurrent
@own_and_shared
def test_in_mode_error_dropout_in_a_recurrent_network_is_refused(implementation, device, record_property, draw, whose):
    assert_nothing_drawn(implementation, device, record_property, draw, whose)


@pytest.mark.requirement("randomness.attention")
@each_attention
@own_and_shared
def test_in_mode_error_dropout_in_attention_is_refused(implementation, device, record_property, draw, whose):
    assert_nothing_drawn(implementation, device, record_property, draw, whose)


@pytest.mark.requirement("randomness.out")
@pytest.mark.parametrize("draw", random_ops.WITH_OUT, ids=str)
@own_and_shared
@pytest.mark.parametrize("mode", ["error", "same", "different"])
def test_a_random_operation_with_out_is_refused(implementation, device, draw, whose, mode):
    x, before = make_inputs(MEMBERS, device), state(device)

    outcome = attempt(lambda: draw_with_vmap(implementation, draw.one, x, whose, mode))

    with refuses("random|out="):
        outcome.value_or_raise()
    assert_same(state(device), before)


@pytest.mark.requirement("randomness.operations_covered")
def test_every_random_operation_of_this_torch_is_covered(implementation, record_property):
    missing = random_ops.uncovered()
    for name in missing:
        cell = {"table": TABLE, "row": name, "column": "error, own"}
        record_property("cell", {**cell, "passes": "not covered", "fails": "not covered"})

    assert not missing, f"not covered: {', '.join(missing)}"
