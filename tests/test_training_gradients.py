"""How do loss weights, gradient clipping and a GradScaler act on an ensemble?"""

import pytest
import torch
from torch import nn

from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close, assert_same
from conformance.numerics.plain_loop import loop
from conformance.workloads.supervised import loss
from conformance.workloads.training import ERROR_DRAWS, TrainingRun, train

RATES = (0.125, 0.03125, 0.0625)


@pytest.mark.requirement("training.learning_rates")
def test_a_weighted_loss_is_a_learning_rate_of_its_own(implementation, device):
    course = TrainingRun(device)

    def alone(model, given):
        optimizer = torch.optim.SGD(model.parameters(), lr=float(given["rate"]), momentum=0.9)
        train(optimizer, lambda step: loss(model(given["x"][step]), given["target"][step]), range(course.steps))
        return dict(model.named_parameters())

    expected = course.loop(alone, [{"rate": torch.tensor(rate)} for rate in RATES])
    ensemble = Ensemble(implementation, course.models)
    weights = torch.tensor(RATES, dtype=torch.float64, device=device) / RATES[0]
    optimizer = torch.optim.SGD(ensemble.params.values(), lr=RATES[0], momentum=0.9)

    train(optimizer, lambda step: (course.losses(ensemble, step) * weights).sum(), range(course.steps))

    assert_members_close(ensemble.detached, expected, "learned")


MAX_NORM = 1.0
# With these weights of the losses, the gradients of some members are longer than MAX_NORM.
WEIGHTS = (4.0, 16.0, 0.25)


def gradients_of_stack(course, ensemble):
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, device=course.xs.device)
    (course.losses(ensemble, 0) * weights).sum().backward()
    return {name: tensor.grad for name, tensor in ensemble.params.items()}


def backward_of_one(model, given):
    (loss(model(given["x"][0]), given["target"][0]) * given["weight"]).backward()


WEIGHED = [{"weight": torch.tensor(weight)} for weight in WEIGHTS]


@pytest.mark.requirement("training.clip_per_member")
def test_gradients_clipped_inside_vmap_are_clipped_for_each_member(implementation, device):
    course = TrainingRun(device)

    def alone(model, given):
        backward_of_one(model, given)
        norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        return {"norm": norm, **{name: parameter.grad for name, parameter in model.named_parameters()}}

    def clipped(gradients):
        norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()
        scale = (MAX_NORM / (norm + 1e-6)).clamp(max=1.0)
        return {"norm": norm, **{name: gradient * scale for name, gradient in gradients.items()}}

    expected = course.loop(alone, WEIGHED)
    ensemble = Ensemble(implementation, course.models)

    actual = ensemble.vmap(clipped)(gradients_of_stack(course, ensemble))

    assert sorted(norm > MAX_NORM for norm in actual["norm"].tolist()) == [False, True, True]
    assert_members_close(actual, expected, "clipped")


@pytest.mark.requirement("training.clip_grad_norm")
def test_clip_grad_norm_takes_one_norm_over_all_members(implementation, device):
    course = TrainingRun(device)

    def together(models, given):
        for i, model in enumerate(models):
            backward_of_one(model, {name: tensor[i] for name, tensor in given.items()})
        nn.utils.clip_grad_norm_(models.parameters(), MAX_NORM)
        named = [dict(model.named_parameters()) for model in models]
        return {name: torch.stack([each[name].grad for each in named]) for name in named[0]}

    given = {
        "x": course.xs.transpose(0, 1),
        "target": course.targets.transpose(0, 1),
        "weight": torch.tensor(WEIGHTS, dtype=torch.float64, device=device),
    }
    expected = loop(together, [nn.ModuleList(course.models)], [given], draws=ERROR_DRAWS)
    ensemble = Ensemble(implementation, course.models)

    gradients_of_stack(course, ensemble)
    norm = nn.utils.clip_grad_norm_(ensemble.params.values(), MAX_NORM)

    assert norm > MAX_NORM
    assert_members_close({name: tensor.grad[None] for name, tensor in ensemble.params.items()}, expected, "clipped")


def scaled_steps(params, loss_at, steps):
    """Train with a GradScaler, which takes no closure, and return its scale, which shows skipped steps."""
    params = list(params)
    optimizer = torch.optim.SGD(params, lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler(params[0].device.type, growth_interval=5)
    for step in range(steps):
        optimizer.zero_grad()
        scaler.scale(loss_at(step)).backward()
        scaler.step(optimizer)
        scaler.update()
    return scaler.get_scale()


@pytest.mark.requirement("training.grad_scaler")
def test_a_grad_scaler_changes_nothing_that_is_finite(implementation, device):
    course = TrainingRun(device)

    def alone(model, given):
        x, target = given["x"], given["target"]
        scaled_steps(model.parameters(), lambda step: loss(model(x[step]), target[step]), course.steps)
        return dict(model.named_parameters())

    expected = course.loop(alone)
    ensemble = Ensemble(implementation, course.models)

    params = ensemble.params.values()
    scale = scaled_steps(params, lambda step: course.losses(ensemble, step).sum(), course.steps)

    assert scale == 2.0**20, "from 2 ** 16 it doubles in every fifth of the twenty steps"
    assert_members_close(ensemble.detached, expected, "learned")


@pytest.mark.requirement("training.grad_scaler_skips")
def test_one_infinite_gradient_skips_the_step_of_every_member(implementation, device):
    course = TrainingRun(device, steps=1)
    course.xs[0, 1] = torch.inf
    ensemble = Ensemble(implementation, course.models)
    before = {name: tensor.detach().clone() for name, tensor in ensemble.params.items()}

    scale = scaled_steps(ensemble.params.values(), lambda step: course.losses(ensemble, step).sum(), 1)

    assert scale == 2.0**15, "an overflow halves the scale"
    assert_same(ensemble.detached, before, "parameter")
