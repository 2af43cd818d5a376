"""Do losses for classification and regression have the loop's values and gradients?"""

import pytest
import torch
from torch.nn import functional as F

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED, SAMPLES
from conformance.cases.members import MEMBERS, members
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import SimpleCNN, small_cnn
from conformance.utils.module_state import gradients_in
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients

# Each loss of outputs and classes. Two of the seven samples have class 1, which `ignoring` ignores.
LOSSES = {
    "cross_entropy": lambda out, classes, **options: F.cross_entropy(out, classes, ignore_index=-100, **options),
    "ignoring": lambda out, classes, **options: F.cross_entropy(out, classes, ignore_index=1, **options),
    "smoothed": lambda out, classes, **options: F.cross_entropy(out, classes, label_smoothing=0.25, **options),
    "nll_loss": lambda out, classes, **options: F.nll_loss(F.log_softmax(out, -1), classes, **options),
    "mse_loss": lambda out, classes, **options: F.mse_loss(out, F.one_hot(classes, 11).to(out.dtype), **options),
}


@pytest.mark.requirement("gradients.losses")
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_losses_of_classes_and_values(implementation, device, data, name, reduction):
    lesson = SupervisedTask(training_cases.TIED, data, device)
    classes = torch.arange(MEMBERS * SAMPLES, device=device).reshape(MEMBERS, SAMPLES) ** 2 % 11
    lesson.target = classes if data == 0 else classes[1]

    def of(output, target):
        return LOSSES[name](output, target, reduction=reduction)

    def of_one(model, given):
        value = of(model(given["x"]), given["target"])
        value.sum().backward()
        return {"loss": value.detach(), "gradient": gradients_in(model)}

    expected = lesson.loop(of_one)
    ensemble = Ensemble(implementation, lesson.models)

    losses = ensemble.losses(of, lesson.x, lesson.target, data=data)
    losses.sum().backward()

    assert_members_close({"loss": losses.detach(), "gradient": ensemble_gradients(ensemble)}, expected, "result")


@pytest.mark.requirement("gradients.losses")
def test_twenty_members_learn_the_original_examples_6400_targets(implementation, device):
    torch.manual_seed(0)
    targets = torch.randint(10, (6400,)).reshape(20, 320).to(device)
    images = training_cases.SIMPLE_CNN.inputs(20, 320, device=device)

    assert_cross_entropy_is_the_loops(implementation, device, small_cnn, images, targets)


@pytest.mark.original
@pytest.mark.requirement("gradients.losses")
def test_three_models_of_the_original_size_learn_their_first_targets(implementation, device):
    torch.manual_seed(0)
    images = torch.randn(3, 64, 1, 28, 28)[:, :2].to(device, torch.float64)
    targets = torch.randint(10, (6400,)).reshape(100, 64)[:3, :2].to(device)

    assert_cross_entropy_is_the_loops(implementation, device, SimpleCNN, images, targets)


def assert_cross_entropy_is_the_loops(implementation, device, factory, images, targets):
    models = members(factory, len(images), seed=0, device=device, dtype=torch.float64)
    given = [{"x": x, "target": target} for x, target in zip(images, targets, strict=True)]
    expected = loop(gradients_of_cross_entropy, models, given)
    ensemble = Ensemble(implementation, models)

    ensemble.losses(F.cross_entropy, images, targets).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


def gradients_of_cross_entropy(model, given):
    F.cross_entropy(model(given["x"]), given["target"]).backward()
    return gradients_in(model)
