"""Does a compiled ensemble learn what its members learn alone?"""

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.autograd_functions import DoubleWithSevenfoldGradient
from conformance.cases.data import draw, draw_whole_numbers
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close, assert_same
from conformance.utils.torch_compile import AOT_EAGER, Compiler
from conformance.workloads.supervised import ensemble_gradients, loss, make_two_tasks, member_gradients, member_results
from conformance.workloads.training import TrainingRun, member_trainer, training_result

aot_eager = pytest.mark.parametrize("backend", [AOT_EAGER], ids=str)


@pytest.mark.requirement("compiled.gradients")
@aot_eager
def test_backward_through_a_compiled_call_is_of_the_stack_that_was_called(implementation, device, backend):
    lessons = make_two_tasks(training_cases.LINEAR, device)
    answers = [lesson.loop(member_results) for lesson in lessons]
    stacks = [Ensemble(implementation, lesson.models) for lesson in lessons]
    compiler = Compiler(backend)
    call = compiler(stacks[0].mapped())

    outs = [call(stack.params, stack.buffers, lesson.x) for stack, lesson in zip(stacks, lessons, strict=True)]
    for out, lesson in zip(outs, lessons, strict=True):
        (out - lesson.target).square().flatten(1).mean(1).sum().backward()

    for out, stack, expected in zip(outs, stacks, answers, strict=True):
        actual = {"output": out.detach(), "buffers": stack.buffers, "gradients": ensemble_gradients(stack)}
        assert_members_close(actual, expected, "result")
    assert (compiler.graphs, compiler.runs) == (1, 2)


@pytest.mark.requirement("compiled.input_gradients")
@aot_eager
def test_inputs_get_the_gradient_of_their_own_call(implementation, device, backend):
    w = draw_whole_numbers(MEMBERS, 3, device=device)
    call = Compiler(backend)(implementation.vmap(lambda w, x: (w * x).sum(), in_dims=(0, None)))

    for seed in (1, 2):
        x = draw(3, device=device, seed=seed).requires_grad_()
        factors = draw_whole_numbers(MEMBERS, device=device, seed=seed + 2)
        call(w, x).backward(factors)

        assert_same(x.grad, (w * factors[:, None]).sum(0), "gradient")


@pytest.mark.requirement("compiled.grad")
@aot_eager
def test_gradients_taken_inside_are_compiled_too(implementation, device, backend):
    lessons = make_two_tasks(training_cases.LINEAR, device)
    answers = [lesson.loop(member_gradients) for lesson in lessons]
    stacks = [Ensemble(implementation, lesson.models) for lesson in lessons]

    def of_member(params, buffers, x, target):
        return loss(stacks[0].member(params, buffers, x), target)

    compiler = Compiler(backend)
    call = compiler(implementation.vmap(torch.func.grad(of_member)))
    for stack, lesson, expected in zip(stacks, lessons, answers, strict=True):
        found = call(stack.detached, stack.buffers, lesson.x, lesson.target)

        assert_members_close(found, expected, "gradient")
    assert (compiler.graphs, compiler.runs) == (1, 2)


@pytest.mark.requirement("compiled.own_backward")
@aot_eager
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_function_keeps_its_own_backward(implementation, device, backend, where):
    w, x = (
        draw_whole_numbers(MEMBERS, 3, device=device).requires_grad_(),
        draw_whole_numbers(MEMBERS, 3, device=device, seed=1),
    )
    inside = implementation.vmap(lambda w, x: DoubleWithSevenfoldGradient.apply(w * x))
    outside = implementation.vmap(torch.mul)
    compiler = Compiler(backend)
    call = compiler(inside if where == "inside" else lambda w, x: DoubleWithSevenfoldGradient.apply(outside(w, x)))

    out = call(w, x)
    out.sum().backward()

    assert compiler.runs == 1
    assert_same(out.detach(), (w * x * 2).detach())
    assert_same(w.grad, x * 7, "gradient")


def sgd(params):
    return torch.optim.SGD(params, lr=0.1, momentum=0.9)


@pytest.mark.requirement("compiled.training")
@aot_eager
def test_every_step_is_of_what_was_learned_before(implementation, device, backend):
    course = TrainingRun(device, training_cases.LINEAR, steps=5)
    expected = course.loop(member_trainer(sgd))
    ensemble = Ensemble(implementation, course.models)
    optimizer = sgd(ensemble.params.values())
    compiler = Compiler(backend)
    ensemble.losses = compiler(ensemble.losses)

    course.train(ensemble, optimizer)

    assert_members_close(training_result(ensemble.params, optimizer), expected, "what was learned")
    assert compiler.runs == course.steps
