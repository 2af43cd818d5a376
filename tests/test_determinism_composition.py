"""Does a member's result depend on its position, on the other members, or on their number?"""

import math

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.members import MEMBERS, members
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, unchanged
from conformance.utils.module_state import copy_module, state_of
from conformance.utils.pytree import is_inexact, tree_map
from conformance.workloads.supervised import SupervisedTask, member_output_and_buffers, member_results
from conformance.workloads.training import ERROR_DRAWS

each_case = pytest.mark.parametrize("case", training_cases.ALL, ids=str)


@pytest.mark.requirement("determinism.place")
@each_case
@pytest.mark.parametrize(
    ("data", "order"), [(0, (2, 4, 1, 0, 3)), (None, (1, 2, 3, 4, 0))], ids=["own-mixed", "shared-moved-on"]
)
def test_members_that_exchange_places_exchange_what_they_get(implementation, device, case, data, order):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(member_results)

    moved = lesson.select(order).ensemble_results(implementation)

    back = torch.tensor(order, device=device).argsort()
    assert_distinct(*moved["output"])
    assert_members_close(tree_map(lambda tensor: tensor[back], moved), expected, "result")


# Several ensembles of n members each: the loop's error is measured on more than one member.
SIZES = (
    *((case, data, n, total) for case in training_cases.ALL for data, n, total in ((0, 1, 5), (None, 2, 6), (0, 3, 6))),
    (training_cases.SIMPLE_CNN, 0, 23, 23),
    (training_cases.LAYER_NORM, None, 23, 23),
    (training_cases.BATCH_NORM_TRAIN, 0, 23, 23),
    *((case, None, 5, 5) for case in training_cases.ALL),
)


@pytest.mark.requirement("determinism.number")
@pytest.mark.parametrize(
    ("case", "data", "n", "total"), SIZES, ids=[f"{case}-{data}-{n}" for case, data, n, _ in SIZES]
)
def test_members_get_what_they_get_alone_in_ensembles_of_any_size(implementation, device, case, data, n, total):
    lesson = SupervisedTask(case, data, device, n=total)
    # Among so many members, one has by chance a much larger or smaller error than its loop.
    expected = lesson.loop(member_results, draws=ERROR_DRAWS)

    found = [lesson.select(range(start, start + n)).ensemble_results(implementation) for start in range(0, total, n)]

    joined = tree_map(lambda *each: torch.cat(each), *found)
    assert_distinct(*joined["output"])
    assert_members_close(joined, expected, "result")


@pytest.mark.requirement("determinism.chunks")
@each_case
@pytest.mark.parametrize(("data", "chunk_size"), [(0, 1), (None, 2), (0, 3), (None, 4), (0, 100)])
def test_members_get_what_they_get_alone_in_chunks_of_any_size(implementation, device, case, data, chunk_size):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(member_results)

    actual = lesson.ensemble_results(implementation, chunk_size=chunk_size)

    assert_members_close(actual, expected, "result")


@pytest.mark.requirement("determinism.company")
@each_case
@pytest.mark.parametrize(
    ("data", "factor"),
    [(0, -2.0), (None, 1e200), (0, math.inf), (None, math.nan)],
    ids=["own-finite", "shared-huge", "own-inf", "shared-nan"],
)
def test_other_company_changes_no_bit_of_what_a_member_gets(implementation, device, case, data, factor):
    lesson, kept = SupervisedTask(case, data, device), torch.tensor([0, 2, 4], device=device)
    before = lesson.ensemble_results(implementation)

    for other in (1, 3):
        for tensor in filter(is_inexact, state_of(lesson.models[other]).values()):
            tensor.data.mul_(factor)
    after = lesson.ensemble_results(implementation)

    assert_distinct(*before["output"])
    for other in (1, 3):
        assert_distinct(before["output"][other], after["output"][other])
    others_gone = (tree_map(lambda tensor: tensor.index_select(0, kept), each) for each in (after, before))
    assert_same(*others_gone, "result of the others")


COPIES = {"very-same": lambda model: model, "deep-copies": copy_module}
each_kind_of_copy = pytest.mark.parametrize("kind", COPIES)


def lesson_of_copies(case, data, device, kind):
    """Return a task whose members are all copies of one model, and the model."""
    lesson = SupervisedTask(case, data, device)
    model = lesson.models[2]
    lesson.models = [COPIES[kind](model) for _ in range(MEMBERS)]
    return lesson, model


@pytest.mark.requirement("determinism.copies_accepted")
@each_case
@each_kind_of_copy
def test_one_module_many_times_is_taken_for_an_ensemble(implementation, device, case, kind):
    lesson, model = lesson_of_copies(case, None, device, kind)
    expected = lesson.loop(member_output_and_buffers)
    ensemble = Ensemble(implementation, lesson.models)

    with unchanged(model):
        out = ensemble(lesson.x, None).detach()

    for name, tensor in ensemble.detached.items():
        assert_same(tensor, model.get_parameter(name).detach().expand_as(tensor), name)
    assert_members_close({"output": out, "buffers": ensemble.buffers}, expected, "result")


@pytest.mark.requirement("determinism.copies_accepted")
@each_kind_of_copy
def test_this_suite_notices_that_members_are_one(implementation, device, kind):
    lesson, model = lesson_of_copies(training_cases.LAYER_NORM, None, device, kind)
    ensemble = Ensemble(implementation, lesson.models)

    for tensor in ensemble.params.values():
        with pytest.raises(AssertionError, match="an empty victory: 0 and 1"):
            assert_distinct(*tensor)
    with pytest.raises(ValueError, match="members 0 and 1 of LayerNormMLP have the same state"):
        members(lambda: COPIES[kind](model), MEMBERS)


@pytest.mark.requirement("determinism.copies_apart")
@each_case
@each_kind_of_copy
def test_members_that_start_as_one_have_values_of_their_own(implementation, device, case, kind):
    lesson, model = lesson_of_copies(case, 0, device, kind)
    ensemble = Ensemble(implementation, lesson.models)
    stacked = {**ensemble.detached, **ensemble.buffers}
    expected = tree_map(torch.clone, stacked)

    with unchanged(model):
        for name, tensor in stacked.items():
            tensor[2] += 3
            expected[name] = torch.cat([expected[name][:2], expected[name][2:3] + 3, expected[name][3:]])

    assert_same(stacked, expected, "stack")


@pytest.mark.requirement("determinism.copies_apart")
@each_case
@each_kind_of_copy
def test_members_that_start_as_one_learn_apart(implementation, device, case, kind):
    lesson, model = lesson_of_copies(case, 0, device, kind)

    with unchanged(model):
        found = lesson.ensemble_results(implementation)

    assert len(found["gradients"]) == sum(parameter.requires_grad for parameter in model.parameters())
    for tensor in (found["output"], *found["gradients"].values()):
        assert_distinct(*tensor)
