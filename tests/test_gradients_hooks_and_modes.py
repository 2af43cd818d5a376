"""Do hooks, gradient modes and exceptions leave an ensemble's gradients right?"""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.networks import LayerNormMLP
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close, refuses
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients, member_gradients

each_case = pytest.mark.parametrize("case", training_cases.ALL, ids=str)


@pytest.mark.requirement("gradients.saved_tensor_hooks")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_what_backward_needs_may_be_packed_and_unpacked(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    packed = []

    def pack(tensor):
        packed.append(tensor.shape)
        return tensor.detach().cpu().clone(), tensor.device

    def under_hooks(func, *args):
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept[0].to(kept[1])):
            return func(*args)

    expected = lesson.loop(lambda model, given: under_hooks(member_gradients, model, given))
    ensemble = Ensemble(implementation, lesson.models)

    packed.clear()
    losses = under_hooks(lesson.losses, ensemble)
    losses.sum().backward()

    assert packed, "no tensor was packed"
    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("gradients.anomaly_mode")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_anomaly_mode_changes_no_gradient(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)

    with torch.autograd.detect_anomaly():
        lesson.losses(ensemble).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("gradients.anomaly_mode")
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled", "ignore:Error detected in")
def test_anomaly_mode_finds_the_nan_of_one_member(implementation, device):
    lesson = SupervisedTask(training_cases.LAYER_NORM, 0, device)
    lesson.x[2] = math.nan
    ensemble = Ensemble(implementation, lesson.models)

    with torch.autograd.detect_anomaly(), refuses("nan"):
        lesson.losses(ensemble).sum().backward()


class HeadOnly(LayerNormMLP):
    """A LayerNormMLP of which only the last layer learns, since the others run under `no_grad`."""

    def forward(self, x):
        with torch.no_grad():
            hidden = F.gelu(self.norm(self.fc1(x)))
        return self.fc2(hidden)


@pytest.mark.requirement("gradients.no_grad")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_no_grad_inside_cuts_what_it_covers_and_nothing_else(implementation, device, data):
    lesson = SupervisedTask(replace(training_cases.LAYER_NORM, factory=HeadOnly), data, device)
    expected = lesson.loop(gradients_that_there_are)
    ensemble = Ensemble(implementation, lesson.models)

    lesson.losses(ensemble).sum().backward()

    actual = {name: tensor.grad for name, tensor in ensemble.params.items() if tensor.grad is not None}
    assert list(actual) == ["fc2.weight", "fc2.bias"]
    assert_members_close(actual, expected, "gradient")


def gradients_that_there_are(model, given):
    return {name: gradient for name, gradient in member_gradients(model, given).items() if gradient is not None}


@pytest.mark.requirement("gradients.no_grad")
@each_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_no_grad_outside_records_nothing(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(value_without_gradient)
    ensemble = Ensemble(implementation, lesson.models)

    with torch.no_grad():
        out = ensemble(lesson.x, data)

    assert not out.requires_grad
    assert_members_close(out, expected)
    if case.name != "BatchNorm-train":
        assert ensemble(lesson.x, data).requires_grad, "after it gradients are recorded again"


@torch.no_grad()
def value_without_gradient(model, given):
    return model(given["x"])


class Inferring(LayerNormMLP):
    """A LayerNormMLP that runs in inference mode."""

    def forward(self, x):
        with torch.inference_mode():
            return super().forward(x)


@pytest.mark.requirement("gradients.inference_mode")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_inference_mode_records_nothing(implementation, device, data, where):
    factory = Inferring if where == "inside" else LayerNormMLP
    lesson = SupervisedTask(replace(training_cases.LAYER_NORM, factory=factory), data, device)
    expected = lesson.loop(value_without_gradient)
    ensemble = Ensemble(implementation, lesson.models)

    with torch.inference_mode(where == "outside"):
        out = ensemble(lesson.x, data)

    assert not out.requires_grad
    assert where == "inside" or out.is_inference()
    assert_members_close(out.clone(), expected)
    assert not torch.is_inference_mode_enabled()


@pytest.mark.requirement("gradients.exception")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_after_a_backward_that_fails_the_next_one_is_right(implementation, device, data):
    lesson = SupervisedTask(training_cases.LAYER_NORM, data, device)
    expected = lesson.loop(member_gradients)
    ensemble = Ensemble(implementation, lesson.models)
    out = lesson.losses(ensemble)
    out.register_hook(fail)

    with pytest.raises(ZeroDivisionError):
        out.sum().backward()
    with pytest.raises(ZeroDivisionError):
        ensemble.map(
            torch.func.grad(lambda params, buffers, x: fail(ensemble.member(params, buffers, x))), lesson.x, data=data
        )
    lesson.losses(ensemble).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


def fail(_):
    raise ZeroDivisionError
