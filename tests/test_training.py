"""Does every member of an ensemble learn the same as alone?"""

import pytest
import torch

from conformance.cases import optimizers, training_cases
from conformance.cases.optimizers import OptimizerConfig
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses
from conformance.workloads.supervised import loss
from conformance.workloads.training import TrainingRun, member_trainer, train, training_result

SGD = OptimizerConfig("SGD", "tuned", optimizers.TUNED["SGD"])


def note(record_property, setting, cell, otherwise):
    """Record a cell of the report's table of optimizers: its text if the test passes, and if it fails."""
    where = {"table": "optimizers", "row": setting.optimizer, "column": setting.name}
    record_property("cell", {**where, "passes": cell, "fails": otherwise})


@pytest.mark.requirement("training.separable_optimizers")
@pytest.mark.parametrize("setting", optimizers.SEPARABLE, ids=str)
def test_the_stack_learns_what_its_members_learn_alone(implementation, device, record_property, setting):
    note(record_property, setting, "as alone", "not as alone")
    course = TrainingRun(device)
    expected = course.loop(member_trainer(setting.make))
    ensemble = Ensemble(implementation, course.models)
    optimizer = setting.make(ensemble.params.values())

    course.train(ensemble, optimizer)

    actual = training_result(ensemble.params, optimizer)
    for name, parameter in actual["params"].items():
        assert_distinct(parameter, torch.stack([model.get_parameter(name) for model in course.models]))
    assert_members_close(actual, expected, "learned")


@pytest.mark.requirement("training.coupling_optimizers")
@pytest.mark.parametrize("setting", optimizers.COUPLING, ids=str)
def test_an_optimizer_that_couples_members_is_known(implementation, device, record_property, setting):
    note(record_property, setting, "couples members", "no longer couples members")
    course = TrainingRun(device, steps=2)
    expected = course.loop(lambda model, given: member_trainer(setting.make)(model, given)["params"])
    ensemble = Ensemble(implementation, course.models)

    course.train(ensemble, setting.make(ensemble.params.values()))

    with pytest.raises(AssertionError, match="differs by"):
        assert_members_close(ensemble.detached, expected, "learned")


@pytest.mark.requirement("training.refusing_optimizers")
@pytest.mark.parametrize("setting", optimizers.REFUSING, ids=str)
def test_an_optimizer_that_refuses_the_stack_says_so(implementation, device, record_property, setting):
    note(record_property, setting, "refuses the stack", "no longer refuses the stack")
    course = TrainingRun(device, training_cases.MATRICES)
    course.loop(member_trainer(setting.make))
    ensemble = Ensemble(implementation, course.models)

    with refuses("2D"):
        course.train(ensemble, setting.make(ensemble.params.values()))


@pytest.mark.requirement("training.optimizers_covered")
def test_every_optimizer_of_this_torch_is_covered(implementation, record_property):
    missing = optimizers.uncovered_optimizers()
    for name in optimizers.SPARSE_ONLY:
        note(record_property, OptimizerConfig(name), "sparse gradients only", "sparse gradients only")
    for name in missing:
        note(record_property, OptimizerConfig(name), "not covered", "not covered")

    assert not missing, f"not covered: {', '.join(missing)} of torch.optim"


@pytest.mark.requirement("training.schedulers_covered")
def test_every_scheduler_of_this_torch_is_covered(implementation):
    missing = optimizers.uncovered_schedulers()

    assert not missing, f"not covered: {', '.join(missing)} of torch.optim.lr_scheduler"


@pytest.mark.requirement("training.isolation")
@pytest.mark.parametrize("setting", [each for each in optimizers.SEPARABLE if each.name != "default"], ids=str)
def test_a_member_that_diverges_takes_no_other_with_it(implementation, device, setting):
    course = TrainingRun(device, steps=3)
    well, ill = Ensemble(implementation, course.models), Ensemble(implementation, course.models)
    well_optimizer, ill_optimizer = setting.make(well.params.values()), setting.make(ill.params.values())

    course.train(well, well_optimizer)
    course.xs[1, 1] = torch.nan
    course.train(ill, ill_optimizer)

    assert_distinct(ill.params["0.weight"][1], well.params["0.weight"][1])
    others = torch.tensor([0, 2], device=device)
    for name in well.params:
        actual, expected = (each.params[name].detach().index_select(0, others) for each in (ill, well))
        assert_same(actual, expected, f"{name} of the other members")


@pytest.mark.requirement("training.schedulers")
@pytest.mark.parametrize("name", optimizers.SCHEDULERS)
def test_a_schedule_is_the_same_for_the_stack_as_for_each(implementation, device, name):
    course = TrainingRun(device, steps=8)

    def scheduled(params, loss_at):
        optimizer = SGD.make(params)
        scheduler = optimizers.SCHEDULERS[name](optimizer)
        rates = []
        for step in range(course.steps):
            train(optimizer, loss_at, [step])
            scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        return rates

    def alone(model, given):
        scheduled(model.parameters(), lambda step: loss(model(given["x"][step]), given["target"][step]))
        return dict(model.named_parameters())

    expected = course.loop(alone)
    ensemble = Ensemble(implementation, course.models)

    rates = scheduled(ensemble.params.values(), lambda step: course.losses(ensemble, step).sum())

    assert len(set(rates)) > 1, "the rate never changed"
    assert_members_close(ensemble.detached, expected, "learned")


@pytest.mark.requirement("training.plateau")
def test_reduce_on_plateau_takes_one_loss_and_refuses_one_for_each_member(implementation, device):
    course = TrainingRun(device)
    ensemble = Ensemble(implementation, course.models)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(SGD.make(ensemble.params.values()))

    with refuses("Scalar|one element"):
        scheduler.step(course.losses(ensemble, 0).detach())
