"""Can every module of torch.nn be ensembled, and are the results right?"""

import pytest

from conformance.cases.answered import assert_as_listed
from conformance.cases.modules import coverage
from conformance.cases.modules.case import ModuleCase
from conformance.cases.modules.catalogue import CATALOGUE
from conformance.cases.modules.refusals import crash_reason, refusal_reason
from conformance.checks import model_checks
from conformance.checks.outcome import NotApplicableError, Outcome, run_check

TABLE = "modules"


def each(applies=lambda case: True):
    """Return the parametrization over the cases that a check applies to."""
    return pytest.mark.parametrize("case", [case for case in CATALOGUE if applies(case)], ids=str)


each_case = each()
each_with_state = each(ModuleCase.has_state)
each_with_parameters = each(ModuleCase.has_parameters)
each_with_buffers = each(ModuleCase.has_buffers)
each_of_integers = each(ModuleCase.takes_integers)


def assert_right(check, implementation, device, record_property, case):
    """Assert that the check passes, or is refused as listed; it is not applicable where the plain module fails."""
    crashes = crash_reason(check.__name__, case.name)
    if crashes:
        raise NotApplicableError(crashes)

    finding = run_check(check, case, implementation, device)

    if finding.status is Outcome.NOT_APPLICABLE:
        raise NotApplicableError(finding.message)
    says = finding.status.value + " (slow fallback)" * bool(finding.slow and finding.status is Outcome.RIGHT)
    record_property("cell", {"table": TABLE, "row": case.name, "column": check.__name__, "passes": says, "fails": says})
    known = refusal_reason(check.__name__, case.name)
    allowed = {Outcome.RIGHT, *([Outcome.REFUSED] if known else [])}
    assert finding.status in allowed, f"{finding.status.value}: {finding.message}"
    if known:
        assert_as_listed(
            refused=finding.status is Outcome.REFUSED,
            name=case.name,
            column=check.__name__,
            implementation=implementation,
            device=device,
        )


@pytest.mark.requirement("modules.own_minibatch")
@each_case
def test_members_with_a_minibatch_each_give_what_they_give_alone(implementation, device, record_property, case):
    assert_right(model_checks.own_minibatch, implementation, device, record_property, case)


@pytest.mark.requirement("modules.shared_minibatch")
@each_with_state
def test_members_that_share_a_minibatch_give_what_they_give_alone(implementation, device, record_property, case):
    assert_right(model_checks.shared_minibatch, implementation, device, record_property, case)


@pytest.mark.requirement("modules.backward")
@each_case
def test_backward_gives_each_member_its_gradients(implementation, device, record_property, case):
    assert_right(model_checks.backward, implementation, device, record_property, case)


@pytest.mark.requirement("modules.grad")
@each_case
def test_grad_inside_vmap_gives_each_member_its_gradients(implementation, device, record_property, case):
    assert_right(model_checks.grad, implementation, device, record_property, case)


@pytest.mark.requirement("modules.forward_mode")
@each_case
def test_jvp_inside_vmap_gives_each_member_its_derivative(implementation, device, record_property, case):
    assert_right(model_checks.forward_mode, implementation, device, record_property, case)


@pytest.mark.requirement("modules.per_sample")
@each_with_parameters
def test_each_sample_of_each_member_has_its_own_gradients(implementation, device, record_property, case):
    assert_right(model_checks.per_sample, implementation, device, record_property, case)


@pytest.mark.requirement("modules.buffers")
@each_with_buffers
def test_calls_leave_in_the_buffers_what_they_leave_in_the_members(implementation, device, record_property, case):
    assert_right(model_checks.buffers, implementation, device, record_property, case)


@pytest.mark.requirement("modules.randomness")
@each_case
def test_a_module_that_draws_draws_as_the_mode_says(implementation, device, record_property, case):
    assert_right(model_checks.randomness, implementation, device, record_property, case)


@pytest.mark.requirement("modules.restored")
@each_case
def test_no_call_changes_a_member(implementation, device, record_property, case):
    assert_right(model_checks.restored, implementation, device, record_property, case)


@pytest.mark.requirement("modules.order")
@each_case
def test_members_in_another_order_give_the_same_in_that_order(implementation, device, record_property, case):
    assert_right(model_checks.order, implementation, device, record_property, case)


@pytest.mark.requirement("modules.single")
@each_case
def test_an_ensemble_of_one_gives_what_its_member_gives(implementation, device, record_property, case):
    assert_right(model_checks.single, implementation, device, record_property, case)


@pytest.mark.requirement("modules.modes")
@each_case
def test_members_in_either_mode_give_what_they_give_alone(implementation, device, record_property, case):
    assert_right(model_checks.modes, implementation, device, record_property, case)


@pytest.mark.requirement("modules.isolation")
@each_case
def test_nan_and_infinity_stay_with_their_member(implementation, device, record_property, case):
    assert_right(model_checks.isolation, implementation, device, record_property, case)


@pytest.mark.requirement("modules.out_of_range")
@each_of_integers
def test_an_index_out_of_range_gets_no_number(implementation, device, record_property, case):
    assert_right(model_checks.out_of_range, implementation, device, record_property, case)


@pytest.mark.requirement("modules.meta_base")
@each_case
def test_a_base_on_meta_computes_with_the_stacked_state(implementation, device, record_property, case):
    assert_right(model_checks.meta_base, implementation, device, record_property, case)


@pytest.mark.requirement("modules.covered")
def test_every_class_of_this_torch_has_a_case(implementation):
    missing = coverage.uncovered_classes()

    assert not missing, f"not covered: {', '.join(missing)}"


@pytest.mark.requirement("modules.functions_covered")
def test_every_function_of_this_torch_has_a_case(implementation):
    missing = coverage.uncovered_functions()

    assert not missing, f"not covered: {', '.join(missing)}"
