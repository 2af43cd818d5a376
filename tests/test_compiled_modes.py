"""Does a compiled ensemble follow modes, dtypes and random draws that change after compilation?"""

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.data import draw
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses
from conformance.utils.module_state import copy_module
from conformance.utils.torch_compile import AOT_EAGER, EAGER, Compiler
from conformance.workloads.supervised import SupervisedTask, make_two_tasks, member_output, member_output_and_buffers

eager = pytest.mark.parametrize("backend", [EAGER], ids=str)
aot_eager = pytest.mark.parametrize("backend", [AOT_EAGER], ids=str)


@pytest.mark.requirement("compiled.train")
@eager
def test_train_and_eval_are_read_at_each_call(implementation, device, backend):
    lesson = SupervisedTask(training_cases.DROPOUT_ALL, 0, device)
    ensemble = Ensemble(implementation, lesson.models)
    base = copy_module(lesson.models[0])
    evaluated = lesson.loop(lambda model, given: member_output(model.eval(), given))

    def member(params, buffers, x):
        return implementation.functional_call(base, (params, buffers), (x,))

    call = Compiler(backend)(implementation.vmap(member, randomness="different"))
    outs = []
    for mode in (True, False, True, False):
        base.train(mode)
        outs.append(call(ensemble.params, ensemble.buffers, lesson.x))

    for out in outs[0::2]:
        assert_same(out, torch.zeros_like(out), "output in train mode, where all is dropped")
    for out in outs[1::2]:
        assert_members_close(out, evaluated, "output in eval mode")


@pytest.mark.requirement("compiled.recording")
@eager
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=["no-grad", "inference-mode"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_gradients_are_recorded_where_they_are_wanted(implementation, device, backend, mode, first):
    w, x = draw(MEMBERS, 3, device=device).requires_grad_(), draw(MEMBERS, 3, device=device)
    call = Compiler(backend)(implementation.vmap(torch.mul))

    for quiet in (first, not first, first):
        with mode() if quiet else torch.enable_grad():
            out = call(w, x)

        assert out.requires_grad is not quiet
        assert_same(out.detach().clone(), w.detach() * x, "output")


@pytest.mark.requirement("compiled.recording")
@eager
def test_a_stack_that_begins_to_require_gradients_gets_them(implementation, device, backend):
    w, x = draw(MEMBERS, 3, device=device), draw(MEMBERS, 3, device=device)
    call = Compiler(backend)(implementation.vmap(torch.mul))

    assert not call(w, x).requires_grad
    call(w.requires_grad_(), x).sum().backward()

    assert_same(w.grad, x, "gradient")


@pytest.mark.requirement("compiled.autocast")
@aot_eager
def test_autocast_is_read_at_each_call(implementation, device, backend):
    x, w = (draw(MEMBERS, *shape, device=device).mul(8).round() for shape in ((2, 3), (3, 5)))
    expected = torch.stack([a @ b for a, b in zip(x, w, strict=True)])
    call = Compiler(backend)(implementation.vmap(torch.matmul))

    for enabled in (False, True, False, True):
        with torch.autocast(device.type, torch.bfloat16, enabled=enabled):
            out = call(x, w)

        assert_same(out, expected.to(torch.bfloat16 if enabled else torch.float32), "output")


@pytest.mark.requirement("compiled.default_dtype")
@eager
def test_the_default_dtype_is_read_at_each_call(implementation, device, backend):
    x = torch.arange(MEMBERS, device=device)
    call = Compiler(backend)(implementation.vmap(lambda x: x / 2 + torch.ones(3, device=device)))
    before = torch.get_default_dtype()

    try:
        for dtype in (torch.float32, torch.float64, torch.float32):
            torch.set_default_dtype(dtype)
            assert_same(call(x), (x.to(dtype) / 2 + 1)[:, None].expand(-1, 3), "output")
    finally:
        torch.set_default_dtype(before)


@pytest.mark.requirement("compiled.buffers")
@aot_eager
def test_buffers_are_updated_through_a_compiled_call(implementation, device, backend):
    lessons = make_two_tasks(training_cases.BATCH_NORM_TRAIN, device)
    once = [lesson.loop(member_output_and_buffers) for lesson in lessons]
    twice = lessons[0].loop(lambda model, given: [member_output_and_buffers(model, given) for _ in range(2)][-1])
    stacks = [Ensemble(implementation, lesson.models) for lesson in lessons]
    compiler = Compiler(backend)
    call = compiler(stacks[0].mapped())

    def updated(who):
        out = call(stacks[who].params, stacks[who].buffers, lessons[who].x)
        return {"output": out.detach(), "buffers": stacks[who].buffers}

    for who, expected in ((0, once[0]), (1, once[1]), (0, twice)):
        assert_members_close(updated(who), expected, f"result of stack {who}")
    assert compiler.runs == 3


@pytest.mark.requirement("compiled.draws")
@aot_eager
@pytest.mark.parametrize("randomness", ["same", "different"])
def test_each_compiled_call_draws_anew_as_its_mode_says(implementation, device, backend, randomness):
    x = draw(MEMBERS, 23, device=device)
    mapped = implementation.vmap(lambda x: x + torch.rand_like(x).mul(8).round(), randomness=randomness)
    compiler = Compiler(backend)
    call = compiler(mapped)

    first, second = ((call(x) - x).round() for _ in range(2))

    assert_distinct(first, second)
    if randomness == "same":
        assert_same(first, first[:1].expand(MEMBERS, 23), "draws")
    else:
        assert_distinct(*first)
    assert compiler.runs == 2


@pytest.mark.requirement("compiled.draws_refused")
@eager
def test_a_draw_in_mode_error_is_refused_by_name(implementation, device, backend):
    x = draw(MEMBERS, 3, device=device)
    call = Compiler(backend)(implementation.vmap(lambda x: x + torch.rand_like(x)))

    for _ in range(2):
        with refuses("random"):
            call(x)


@pytest.mark.requirement("compiled.meta_base")
@eager
def test_a_base_on_meta_takes_all_its_state_from_the_call(implementation, device, backend):
    lessons = make_two_tasks(training_cases.LINEAR, device)
    answers = [lesson.loop(member_output) for lesson in lessons]
    base = copy_module(lessons[0].models[0]).to("meta")
    compiler = Compiler(backend)
    call = compiler(implementation.vmap(lambda state, x: implementation.functional_call(base, state, (x,))))

    for lesson, expected in zip(lessons, answers, strict=True):
        out = call(Ensemble(implementation, lesson.models).params, lesson.x)

        assert_members_close(out, expected)
    assert compiler.runs == 2
