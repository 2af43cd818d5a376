"""Does every in-place operation write what the loop writes, or is it refused?"""

import pytest
import torch
from torch import nn

from conformance.cases.answered import assert_as_listed
from conformance.cases.members import MEMBERS
from conformance.cases.operations import inplace_coverage, inplace_ops, out_variants, random_ops
from conformance.cases.operations.inplace_op import make_operands
from conformance.cases.operations.outcome import attempt
from conformance.cases.operations.random_op import stack_values
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses
from conformance.numerics.plain_loop import loop
from conformance.report.tables import REFUSED, WRONG
from conformance.utils.pytree import tree_map

TABLE = "in-place operations"
EQUAL, SLOW = "equals the loop", "slow fallback"

each_write = pytest.mark.parametrize("write", inplace_ops.INPLACE_OPERATIONS, ids=str)
each_behind_slice = pytest.mark.parametrize("write", inplace_ops.INDEX_AFTER_SLICE, ids=str)
each_reading = pytest.mark.parametrize(
    "write", [it for it in (*inplace_ops.INPLACE_OPERATIONS, *inplace_ops.INDEX_AFTER_SLICE) if it.operands], ids=str
)
each_reshaping = pytest.mark.parametrize("write", inplace_ops.RESHAPING, ids=str)


def alone(write, stacks, *, shared=False):
    """Return each member's tensor after the write, by the loop; with `shared` all read the first member's operands."""

    def written(_, own):
        return write.run(own["s"], {name: own[name] for name in write.operands})

    given = [
        {"s": stacks[write.on][i], **{name: stacks[name][0 if shared else i] for name in write.operands}}
        for i in range(len(stacks["x"]))
    ]
    return loop(written, [nn.Identity()] * len(given), given)


def operands(write, stacks):
    return {name: stacks[name].clone() for name in write.operands}


def judged(implementation, device, outcome, write, column, record_property):
    """Record the table cell and return whether there is a value to judge; fail if it is not refused as listed."""
    says = REFUSED if outcome.refusal else SLOW if outcome.slow else EQUAL
    cell = {"table": TABLE, "row": write.name, "column": column}
    record_property("cell", {**cell, "passes": says, "fails": REFUSED if outcome.refusal else WRONG})
    if write.refused:
        assert_as_listed(
            refused=outcome.refusal is not None,
            name=write.name,
            column=column,
            implementation=implementation,
            device=device,
        )
    return accepted(outcome, write)


def accepted(outcome, write):
    """Return whether there is a value to judge. An unexpected refusal, or one with another word, fails."""
    if outcome.refusal is None:
        return True
    assert write.refused, f"refused: {outcome.refusal}"
    with refuses(write.refused):
        outcome.value_or_raise()
    return False


def assert_written(implementation, device, record_property, write, *, shared):
    """Assert that the members' tensors are the loop's, for the function and for the caller."""
    stacks = make_operands(MEMBERS, device)
    expected = alone(write, stacks, shared=shared)
    s, before = stacks[write.on].clone(), stacks[write.on].clone()
    read = {name: tensor[0] if shared else tensor for name, tensor in operands(write, stacks).items()}

    mapped = implementation.vmap(write.run, in_dims=(0, None if shared else 0))
    outcome = attempt(lambda: mapped(s, read))

    column = "mapped, shared operands" if shared else "mapped"
    if judged(implementation, device, outcome, write, column, record_property):
        assert_members_close(outcome.value, expected, "s")
        assert_same(s, outcome.value, "the caller's tensor")
        assert_distinct(s, before)


@pytest.mark.requirement("inplace.mapped")
@each_write
def test_a_write_is_the_loops(implementation, device, record_property, write):
    assert_written(implementation, device, record_property, write, shared=False)


@pytest.mark.requirement("inplace.mapped")
@each_reading
def test_a_write_of_what_all_members_share_is_the_loops(implementation, device, record_property, write):
    assert_written(implementation, device, record_property, write, shared=True)


@pytest.mark.requirement("inplace.mapped")
@pytest.mark.parametrize("write", [it for it in inplace_ops.INPLACE_OPERATIONS[::12] if not it.refused], ids=str)
@pytest.mark.parametrize("n", [1, 2, 23])
def test_a_write_is_the_loops_for_any_number_of_members(implementation, device, write, n):
    stacks = make_operands(n, device)
    expected = alone(write, stacks)
    s = stacks[write.on].clone()

    outcome = attempt(lambda: implementation.vmap(write.run)(s, operands(write, stacks)))

    assert_members_close(outcome.value_or_raise(), expected, "s")
    assert_same(s, outcome.value, "the caller's tensor")


@pytest.mark.requirement("inplace.index_behind_slice")
@each_behind_slice
def test_a_write_at_an_index_behind_a_slice_is_the_loops(implementation, device, record_property, write):
    assert_written(implementation, device, record_property, write, shared=False)


@pytest.mark.requirement("inplace.placed")
@each_write
def test_a_write_to_scattered_memory_is_the_loops(implementation, device, write):
    stacks = make_operands(MEMBERS, device)
    expected = alone(write, stacks)
    memory = stacks[write.on].movedim(0, -1).repeat_interleave(2, -1)
    between = memory[..., 1::2].clone()
    read = {name: tensor.movedim(0, -1).contiguous() for name, tensor in operands(write, stacks).items()}

    mapped = implementation.vmap(write.run, in_dims=-1)
    outcome = attempt(lambda: mapped(memory[..., ::2], read))

    if accepted(outcome, write):
        assert_members_close(outcome.value, expected, "s")
        assert_same(memory[..., ::2].movedim(-1, 0), outcome.value, "the caller's tensor")
    assert_same(memory[..., 1::2], between, "what lies between")


@pytest.mark.requirement("inplace.unmapped")
@each_reading
def test_a_mapped_value_is_not_written_to_what_is_not_mapped(implementation, device, record_property, write):
    stacks = make_operands(MEMBERS, device)
    s = stacks[write.on][0].clone()
    given = operands(write, stacks)

    outcome = attempt(lambda: implementation.vmap(write.run, in_dims=(None, 0))(s, given))

    says = REFUSED if outcome.refusal else WRONG
    cell = {"table": TABLE, "row": write.name, "column": "not mapped", "passes": says, "fails": says}
    record_property("cell", cell)
    with refuses(f"in-?place|shape|not possible|mask|single memory|{write.refused or 'not possible'}"):
        outcome.value_or_raise()
    assert_same(s, stacks[write.on][0])
    assert_same(given, operands(write, stacks))


@pytest.mark.requirement("inplace.operations_covered")
def test_every_in_place_operation_of_this_torch_is_covered(implementation, record_property):
    missing = inplace_coverage.uncovered(random_ops.covered_operations())
    for name in missing:
        cell = {"table": TABLE, "row": name, "column": "mapped"}
        record_property("cell", {**cell, "passes": "not covered", "fails": "not covered"})

    assert not missing, f"not covered: {', '.join(missing)}"


@pytest.mark.requirement("inplace.reshaping")
@each_reshaping
def test_a_change_of_shape_is_the_loops(implementation, device, record_property, write):
    stacks = make_operands(MEMBERS, device)
    expected = alone(write, stacks)

    outcome = attempt(lambda: implementation.vmap(write.run)(stacks[write.on].clone(), operands(write, stacks)) + 0)

    if judged(implementation, device, outcome, write, "mapped", record_property):
        assert_members_close(outcome.value, expected, "s")


@pytest.mark.requirement("inplace.reshaped_for_the_caller")
def test_a_change_of_shape_reaches_the_caller(implementation, device):
    s = make_operands(MEMBERS, device)["x"].clone()
    before = s.clone()

    implementation.vmap(lambda s: s.t_())(s)

    assert_same(s, before.mT)


@pytest.mark.requirement("inplace.out")
@pytest.mark.parametrize("space", out_variants.NAMESPACES)
@pytest.mark.parametrize("mapped", [True, False], ids=["mapped-out", "shared-out"])
def test_out_is_written_as_the_loop_writes_it_or_refused(implementation, device, record_property, space, mapped):
    given = out_variants.make_operands(MEMBERS, device)
    wrong = []
    for into in out_variants.calls_of_namespace(space):
        says, why = called(implementation, into, given, mapped=mapped)
        cell = {"table": TABLE, "row": f"{into.name} (out)", "column": "mapped" if mapped else "not mapped"}
        record_property("cell", {**cell, "passes": says, "fails": says})
        wrong += [f"{into.name}: {why}"] * (says == WRONG)

    assert not wrong, "; ".join(wrong)


def called(implementation, into, given, *, mapped):
    """Return the table's entry for one function, and the reason; with `mapped` each member has its own `out`."""
    one = [{name: tensor[i] for name, tensor in given.items()} for i in range(MEMBERS)]
    zeros = [out_variants.zeros_like_tree(attempt(lambda own=own: into.run(own)).value_or_raise()) for own in one]
    target = stack_values(zeros) if mapped else zeros[0]

    def written(target, given):
        into.run(given, target)
        return tree_map(torch.clone, target)

    def in_the_loop(_, own):
        return written(out_variants.zeros_like_tree(into.run(own)), own)

    call = implementation.vmap(written, in_dims=(0 if mapped else None, 0))
    outcome = attempt(lambda: call(target, given))

    try:
        if outcome.refusal is not None:
            with refuses("batching rule|in-?place|out=|not possible"):
                outcome.value_or_raise()
            assert_same(target, out_variants.zeros_like_tree(target), "what was to be written to")
            return REFUSED, ""
        alone = attempt(lambda: loop(in_the_loop, [nn.Identity()] * MEMBERS, one))
        assert_members_close(outcome.value, alone.value_or_raise(), "out")
    except AssertionError as error:
        return WRONG, str(error)
    return (SLOW if outcome.slow else EQUAL), ""


@pytest.mark.requirement("inplace.out_covered")
def test_every_function_with_out_is_covered(implementation):
    missing = out_variants.uncovered()

    assert not missing, f"not covered: {', '.join(missing)}"
