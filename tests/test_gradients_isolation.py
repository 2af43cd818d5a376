"""Do other members, original modules, frozen parameters and buffers get no gradient?"""

import math

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, unchanged
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients, member_gradients

each_case = pytest.mark.parametrize("case", training_cases.ALL, ids=str)


@pytest.mark.requirement("gradients.isolation")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_the_loss_of_one_member_is_nothing_to_the_others(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)
    losses = lesson.losses(ensemble)
    found = {name: torch.zeros_like(tensor) for name, tensor in ensemble.trainable.items()}

    for i in range(MEMBERS):
        ones = torch.autograd.grad(losses[i], list(ensemble.trainable.values()), retain_graph=True)
        for name, gradient in zip(ensemble.trainable, ones, strict=True):
            others = gradient.index_select(0, torch.tensor([j for j in range(MEMBERS) if j != i], device=device))
            assert not others.any(), f"member {i}'s loss gives another member a gradient for {name}"
            found[name][i] = gradient[i]

    assert_members_close(found, expected, "gradient")


@pytest.mark.requirement("gradients.isolation")
@pytest.mark.parametrize("value", [3.0, math.nan, math.inf], ids=["finite", "nan", "inf"])
@pytest.mark.parametrize("where", ["state", "minibatch"])
def test_what_one_member_holds_is_in_no_other_gradient(implementation, device, where, value):
    lesson = SupervisedTask(training_cases.SIMPLE_CNN, 0, device)
    before = Ensemble(implementation, lesson.models)
    lesson.losses(before).sum().backward()

    with torch.no_grad():
        lesson.models[2].conv1.weight.fill_(value) if where == "state" else lesson.x[2].fill_(value)
    after = Ensemble(implementation, lesson.models)
    lesson.losses(after).sum().backward()

    first, second = ensemble_gradients(before), ensemble_gradients(after)
    assert_distinct(first["fc2.weight"][2], second["fc2.weight"][2])
    for name, gradient in second.items():
        for i in (0, 1, 3, 4):
            assert_same(gradient[i], first[name][i], f"gradient of member {i}: {name}")


@pytest.mark.requirement("gradients.originals")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_no_gradient_reaches_the_original_modules(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    for model in lesson.models[1:]:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 3.0) if parameter.requires_grad else None

    with unchanged(*lesson.models):
        ensemble = Ensemble(implementation, lesson.models)
        lesson.losses(ensemble).sum().backward()

    assert ensemble_gradients(ensemble)


@pytest.mark.requirement("gradients.frozen")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_what_is_frozen_in_the_members_stays_without_gradient(implementation, device, data):
    lesson = SupervisedTask(training_cases.FROZEN, data, device)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()

    assert list(ensemble_gradients(ensemble)) == ["fc1.bias", "fc2.weight", "fc2.bias"]
    assert not ensemble.params["fc1.weight"].requires_grad
    assert ensemble.params["fc1.weight"].grad is None


@pytest.mark.requirement("gradients.buffers")
@pytest.mark.parametrize("case", [training_cases.BATCH_NORM_TRAIN, training_cases.BATCH_NORM_EVAL], ids=str)
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_buffers_get_no_gradient(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()

    assert ensemble.buffers
    for name, buffer in ensemble.buffers.items():
        assert not buffer.requires_grad, f"{name} requires a gradient"
        assert buffer.grad is None, f"{name} has a gradient"
