"""Does state survive the way from members to a stack, through training and a checkpoint, and back?"""

import io

import pytest
import torch

from conformance.cases import optimizers, training_cases
from conformance.cases.data import draw
from conformance.cases.members import members
from conformance.cases.optimizers import OptimizerConfig
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import (
    assert_distinct,
    assert_members_close,
    assert_same,
    assert_same_decisions,
    unchanged,
)
from conformance.reference.functional_call import functional_call as reference_functional_call
from conformance.utils.module_state import copy_module, state_of
from conformance.workloads.supervised import loss
from conformance.workloads.training import TRAINING_MEMBERS, TrainingRun, train, training_result

ADAM, SGD = (
    OptimizerConfig("Adam", "tuned", optimizers.TUNED["Adam"]),
    OptimizerConfig("SGD", "tuned", optimizers.TUNED["SGD"]),
)


@pytest.mark.requirement("training.unstacked")
def test_a_trained_stack_goes_back_into_modules(implementation, device):
    course = TrainingRun(device, training_cases.BATCH_NORM_TRAIN)
    unseen = draw(11, 3, seed=2, device=device, dtype=course.xs.dtype)

    def alone(model, given):
        x, target = given["x"], given["target"]
        train(SGD.make(model.parameters()), lambda step: loss(model(x[step]), target[step]), range(len(x)))
        return model.eval()(unseen.to(x)).detach()

    expected = course.loop(alone)
    ensemble = Ensemble(implementation, course.models)
    course.train(ensemble, SGD.make(ensemble.params.values()))
    stacked = {**ensemble.params, **ensemble.buffers}

    modules = members(
        training_cases.norm_net_without_dropout, TRAINING_MEMBERS, seed=7, device=device, dtype=torch.float64
    )
    for i, module in enumerate(modules):
        module.load_state_dict({name: tensor[i].detach() for name, tensor in stacked.items()})
    out = torch.stack([module.eval()(unseen).detach() for module in modules])

    assert_distinct(*out)
    assert_members_close(out, expected)


@pytest.mark.requirement("training.checkpoint")
@pytest.mark.parametrize("setting", [each for each in optimizers.SEPARABLE if each.name == "tuned"], ids=str)
def test_training_goes_on_from_a_checkpoint_as_if_uninterrupted(implementation, device, setting):
    course = TrainingRun(device, steps=6)

    def alone(model, given):
        x, target = given["x"], given["target"]
        assert_resumed_as_if_uninterrupted(
            setting,
            [dict(each.named_parameters()) for each in (model, copy_module(model))],
            lambda params, step: loss(reference_functional_call(model, params, x[step]), target[step]),
        )
        return {}

    course.loop(alone)
    ensemble, other = (Ensemble(implementation, course.models) for _ in range(2))
    twice = [ensemble.params, other.params]

    def losses(params, step):
        ensemble.params = params
        return course.losses(ensemble, step).sum()

    assert_resumed_as_if_uninterrupted(setting, twice, losses)


def assert_resumed_as_if_uninterrupted(setting, twice, loss_at):
    """Assert that six steps equal three, a file and three; `twice`: two equal starts, `loss_at(params, step)`."""
    whole, first = twice
    optimizer, halfway = setting.make(whole.values()), setting.make(first.values())
    train(optimizer, lambda step: loss_at(whole, step), range(6))
    train(halfway, lambda step: loss_at(first, step), range(3))

    file = io.BytesIO()
    torch.save({"params": first, "optimizer": halfway.state_dict()}, file)
    file.seek(0)
    kept = torch.load(file, weights_only=True)
    resumed = setting.make(kept["params"].values())
    resumed.load_state_dict(kept["optimizer"])
    train(resumed, lambda step: loss_at(kept["params"], step), range(3, 6))

    assert_distinct(next(iter(first.values())), next(iter(whole.values())))
    assert_same(training_result(kept["params"], resumed), training_result(whole, optimizer), "learned")


@pytest.mark.requirement("training.original_parameters")
def test_an_optimizer_of_the_original_parameters_trains_nothing(implementation, device):
    course = TrainingRun(device)
    ensemble = Ensemble(implementation, course.models)
    before = {name: tensor.detach().clone() for name, tensor in ensemble.params.items()}
    originals = [parameter for model in course.models for parameter in model.parameters()]

    with unchanged(*course.models):
        course.train(ensemble, SGD.make(originals))

    assert_same(ensemble.detached, before, "parameter")


@pytest.mark.requirement("training.original_parameters")
def test_a_stack_that_is_made_anew_in_every_step_learns_nothing(implementation, device):
    course = TrainingRun(device)
    first = Ensemble(implementation, course.models)
    optimizer = SGD.make(first.params.values())

    for step in range(course.steps):
        latest = Ensemble(implementation, course.models)
        optimizer.zero_grad()
        course.losses(latest, step).sum().backward()
        optimizer.step()

    for name, tensor in latest.params.items():
        assert tensor.grad.any()
        assert_same(tensor.detach(), torch.stack([state_of(model)[name] for model in course.models]).detach(), name)
        assert_same(tensor.detach(), first.params[name].detach(), name)


class Exam:
    """SimpleCNNs in float32 that learn the same images, and their predictions for other images."""

    def __init__(self, device, seeds):
        self.models = [members(training_cases.SIMPLE_CNN.factory, 1, seed=seed, device=device)[0] for seed in seeds]
        self.images = training_cases.SIMPLE_CNN.inputs(40, device=device, dtype=torch.float32)
        self.targets = training_cases.SIMPLE_CNN.targets(40, device=device, dtype=torch.float32)
        self.unseen = draw(20, 1, 8, 8, seed=5, device=device)

    def separate(self):
        """Return the members' predictions after each was trained alone, (members, samples, classes)."""
        for model in self.models:
            optimizer = ADAM.make(model.parameters())
            train(optimizer, lambda _, model=model: loss(model(self.images), self.targets), range(20))
        return torch.stack([model(self.unseen).detach() for model in self.models])

    def stacked(self, implementation):
        """Return the members' predictions after training as one stack, (members, samples, classes)."""
        ensemble = Ensemble(implementation, self.models)

        def total(_):
            return ensemble.losses(loss, self.images, self.targets, data=None).sum()

        train(ADAM.make(ensemble.params.values()), total, range(20))
        return ensemble(self.unseen, data=None).detach()


@pytest.mark.requirement("training.decisions")
def test_what_is_learned_in_float32_decides_alike(implementation, device):
    actual = Exam(device, (1, 2, 3)).stacked(implementation)

    assert_same_decisions(actual, Exam(device, (1, 2, 3)).separate())


@pytest.mark.requirement("training.seeds")
def test_members_that_exchange_their_seeds_exchange_what_they_learn(implementation, device):
    actual = Exam(device, (2, 1, 3)).stacked(implementation)

    assert_same_decisions(actual[[1, 0, 2]], Exam(device, (1, 2, 3)).stacked(implementation))
