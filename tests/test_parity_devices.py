"""Are results right on a machine with several devices, and is every tensor on the right one?"""

import pytest
import torch

from conformance.cases.members import members
from conformance.cases.training_cases import BATCH_NORM_TRAIN, LAYER_NORM, SIMPLE_CNN
from conformance.devices.features import CPU, NEXT
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, assert_slices, refuses
from conformance.utils.module_state import copy_module, state_of
from conformance.utils.pytree import leaves
from conformance.utils.rng import state
from conformance.workloads.supervised import (
    SupervisedTask,
    ensemble_gradients,
    member_output,
    member_output_and_buffers,
    member_results,
)

cpu = pytest.mark.parametrize("place", [CPU], ids=str)
both_places = pytest.mark.parametrize("place", [CPU, NEXT], ids=str)
each_case = pytest.mark.parametrize("case", [SIMPLE_CNN, BATCH_NORM_TRAIN], ids=str)


def lesson_on(device, case=LAYER_NORM):
    return SupervisedTask(case, 0, device, dtype=torch.float32)


def copies_on(device, models):
    return [copy_module(model).to(device) for model in models]


def copied_to(device, tree):
    return {name: tensor.detach().to(device, copy=True) for name, tensor in tree.items()}


@pytest.mark.requirement("parity.built_elsewhere")
@both_places
@each_case
def test_models_built_elsewhere_are_stacked_on_the_device(implementation, device, place, case):
    lesson = lesson_on(device, case)
    built = members(case.factory, len(lesson.models), device=place.beside(device), dtype=torch.float32)

    ensemble = Ensemble(implementation, [model.to(device) for model in built])
    with torch.no_grad():
        actual = {"output": ensemble(lesson.x), "buffers": ensemble.buffers}

    assert_slices(ensemble.params, [dict(model.named_parameters()) for model in lesson.models])
    assert_members_close(actual, lesson.loop(member_output_and_buffers))


@pytest.mark.requirement("parity.moved")
@both_places
@each_case
def test_a_stack_that_is_moved_is_the_stack_that_is_made_there(implementation, device, place, case):
    lesson = lesson_on(device, case)
    there = Ensemble(implementation, lesson.models)
    moved = Ensemble(implementation, copies_on(place.beside(device), lesson.models))

    moved.params, moved.buffers = copied_to(device, moved.params), copied_to(device, moved.buffers)
    with torch.no_grad():
        actual = {"output": moved(lesson.x), "buffers": moved.buffers}
        expected = {"output": there(lesson.x), "buffers": there.buffers}

    assert_distinct(*expected["output"])
    assert_same(actual, expected)


@pytest.mark.requirement("parity.moved_gradients")
@cpu
@each_case
def test_gradients_flow_back_to_where_the_stack_is(implementation, device, place, case):
    lesson = lesson_on(device, case)
    ensemble = Ensemble(implementation, copies_on(place.beside(device), lesson.models))
    stack = dict(ensemble.params)

    ensemble.params = {name: tensor.to(device) for name, tensor in stack.items()}
    ensemble.buffers = copied_to(device, ensemble.buffers)
    lesson.losses(ensemble).sum().backward()

    ensemble.params = stack
    expected = lesson.ensemble_results(implementation)["gradients"]
    assert_same(
        ensemble_gradients(ensemble), {name: tensor.to(place.beside(device)) for name, tensor in expected.items()}
    )


@pytest.mark.requirement("parity.mixed_devices")
@both_places
@pytest.mark.parametrize("what", ["minibatches", "parameters", "one-parameter"])
def test_state_and_minibatches_on_two_devices_are_refused(implementation, device, place, what):
    lesson = lesson_on(device)
    ensemble = Ensemble(implementation, lesson.models)
    x = lesson.x
    if what == "minibatches":
        x = x.to(place.beside(device))
    else:
        names = list(ensemble.params) if what == "parameters" else ["fc2.weight"]
        ensemble.params |= copied_to(place.beside(device), {name: ensemble.params[name] for name in names})

    with refuses("device"):
        ensemble(x)


@pytest.mark.requirement("parity.mixed_members")
@both_places
def test_members_on_two_devices_are_refused(implementation, device, place):
    lesson = lesson_on(device)
    lesson.models[-1].to(place.beside(device))

    with refuses("device"):
        implementation.combine(lesson.models)


def drawn(params, buffers, x):
    return torch.rand_like(x)


def created(lesson, ensemble):
    return ensemble.map(lambda params, *_: torch.full((3,), 2.0, device=params["fc1.bias"].device), lesson.x)


def everything_at_once(lesson, ensemble):
    lesson.losses(ensemble).sum().backward()
    return {**ensemble_gradients(ensemble), **ensemble.params, **ensemble.buffers}


def by_grad(lesson, ensemble):
    def of_member(params, buffers, x):
        return torch.func.grad(lambda params: ensemble.member(params, buffers, x).square().sum())(params)

    return ensemble.map(of_member, lesson.x)


def stepped(lesson, ensemble):
    optimizer = torch.optim.SGD(ensemble.trainable.values(), lr=0.1, momentum=0.9)
    lesson.losses(ensemble).sum().backward()
    optimizer.step()
    return {"params": ensemble.params, "momentum": [each["momentum_buffer"] for each in optimizer.state.values()]}


STAYING = {
    "output": lambda lesson, ensemble: ensemble(lesson.x),
    "chunks": lambda lesson, ensemble: ensemble(lesson.x, chunk_size=2),
    "shared": lambda lesson, ensemble: ensemble(lesson.x[0], None),
    "drawn": lambda lesson, ensemble: ensemble.map(
        lambda *given: torch.rand_like(given[2]), lesson.x, randomness="same"
    ),
    "created": created,
    "state-and-gradients": everything_at_once,
    "grad": by_grad,
    "step": stepped,
}


@pytest.mark.requirement("parity.stays")
@pytest.mark.parametrize("what", STAYING)
def test_what_is_computed_stays_on_the_device(implementation, device, what):
    lesson = lesson_on(device)
    ensemble = Ensemble(implementation, lesson.models)

    result = STAYING[what](lesson, ensemble)

    where = torch.empty(0, device=device).device
    for name, tensor in leaves(result, what):
        assert tensor.device == where, f"{name} is on {tensor.device}, and has to be on {where}"


@pytest.mark.requirement("parity.next_device")
@pytest.mark.parametrize("place", [NEXT], ids=str)
@each_case
def test_a_device_that_is_not_the_current_one_answers_for_itself(implementation, device, place, case):
    there = place.beside(device)
    lesson, beside = lesson_on(device, case), lesson_on(there, case)

    with torch.no_grad():
        actual = [Ensemble(implementation, each.models)(each.x) for each in (lesson, beside)]

    for each, out in zip((lesson, beside), actual, strict=True):
        assert_members_close(out, each.loop(member_output))


@pytest.mark.requirement("parity.own_generator")
@cpu
@pytest.mark.parametrize("randomness", ["same", "different"])
def test_a_draw_on_the_device_leaves_other_generators_alone(implementation, device, place, randomness):
    x = torch.zeros(5, 3, device=device)
    before = state(device)

    drawn = implementation.vmap(lambda row: row + torch.rand_like(row), randomness=randomness)(x)

    after, elsewhere = state(device), place.beside(device).type
    assert_same(after[elsewhere], before[elsewhere], "the state of the generator elsewhere")
    assert_distinct(after[device.type], before[device.type])
    assert drawn.unique().numel() == (3 if randomness == "same" else 15)


@pytest.mark.requirement("parity.back_and_forth")
@both_places
def test_models_written_back_elsewhere_are_the_members(implementation, device, place):
    lesson = lesson_on(device, BATCH_NORM_TRAIN)
    expected = lesson.loop(member_results)
    ensemble = Ensemble(implementation, lesson.models)

    ensemble(lesson.x)
    back = copies_on(place.beside(device), lesson.models)
    for i, model in enumerate(back):
        with torch.no_grad():
            for name, tensor in state_of(model).items():
                tensor.copy_((ensemble.params | ensemble.buffers)[name][i])

    buffers = {name: torch.stack([dict(model.named_buffers())[name] for model in back]) for name in ensemble.buffers}
    moved = {name: tensor.to(device) for name, tensor in buffers.items()}
    assert_members_close({**lesson.ensemble_results(implementation), "buffers": moved}, expected)
