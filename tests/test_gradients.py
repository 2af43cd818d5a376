"""Does each member get the same gradient as in the plain loop?"""

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.utils.module_state import gradients_in
from conformance.utils.pytree import tree_map
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients, loss, member_gradients

each_case = pytest.mark.parametrize("case", training_cases.ALL, ids=str)


# In float32 only smooth cases: elsewhere a rounding may move an activation across a kink, and the gradient jumps.
each_case_and_dtype = pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *((case, "float64") for case in training_cases.ALL),
        *((case, "float32") for case in training_cases.ALL if case.smooth),
    ],
    ids=str,
    indirect=["dtype"],
)


def assert_backward_is_the_loops(implementation, case, data, device, dtype, **options):
    lesson = SupervisedTask(case, data, device, dtype)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble, **options).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("gradients.own_minibatch")
@each_case_and_dtype
def test_each_member_gets_the_gradient_of_its_own_minibatch(implementation, device, case, dtype):
    assert_backward_is_the_loops(implementation, case, 0, device, dtype)


@pytest.mark.requirement("gradients.shared_minibatch")
@each_case_and_dtype
def test_each_member_gets_its_gradient_of_the_shared_minibatch(implementation, device, case, dtype):
    assert_backward_is_the_loops(implementation, case, None, device, dtype)


@pytest.mark.requirement("gradients.any_size")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize("n", [1, 2, 23])
def test_any_number_of_members_get_their_gradients(implementation, device, data, n):
    lesson = SupervisedTask(training_cases.LAYER_NORM, data, device, n=n)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("gradients.chunked")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize("chunk_size", [1, 2, MEMBERS])
def test_chunks_change_no_gradient(implementation, device, data, chunk_size):
    assert_backward_is_the_loops(
        implementation, training_cases.LAYER_NORM, data, device, torch.float64, chunk_size=chunk_size
    )


WEIGHTS = (2.0, -0.5, 0.0, 3.0, 7.0)


@pytest.mark.requirement("gradients.weights")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_the_weight_of_a_loss_scales_its_members_gradient(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, device=device)
    given = [{**each, "weight": weight} for each, weight in zip(lesson.member_data, weights, strict=True)]
    expected = loop(weighted_gradients, lesson.models, given)
    ensemble = Ensemble(implementation, lesson.models)

    (lesson.losses(ensemble) * weights).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


def weighted_gradients(model, given):
    (loss(model(given["x"]), given["target"]) * given["weight"]).backward()
    return gradients_in(model)


@pytest.mark.requirement("gradients.sum_and_mean")
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_the_mean_over_members_gives_each_an_nth_of_its_gradient(implementation, device, case, data, reduction):
    lesson = SupervisedTask(case, data, device)
    share = 1 if reduction == "sum" else MEMBERS
    expected = lesson.loop(
        lambda model, given: tree_map(lambda gradient: gradient / share, member_gradients(model, given))
    )
    ensemble = Ensemble(implementation, lesson.models)

    getattr(lesson.losses(ensemble), reduction)().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")
