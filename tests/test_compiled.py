"""Does a compiled ensemble give the loop's results, whichever stacks and sizes came before?"""

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED, SAMPLES, draw_whole_numbers
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses
from conformance.utils.torch_compile import AOT_EAGER, EAGER, Compiler
from conformance.workloads.supervised import SupervisedTask, make_two_tasks, member_output

eager = pytest.mark.parametrize("backend", [EAGER], ids=str)
aot_eager = pytest.mark.parametrize("backend", [AOT_EAGER], ids=str)


@pytest.mark.requirement("compiled.call")
@pytest.mark.parametrize("backend", [EAGER, AOT_EAGER], ids=str)
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_compiled_ensemble_answers_as_the_loop(implementation, device, backend, data):
    lesson = SupervisedTask(training_cases.LINEAR, data, device)
    expected = lesson.loop(member_output)
    ensemble = Ensemble(implementation, lesson.models)
    compiler = Compiler(backend)

    out = compiler(ensemble.mapped(data))(ensemble.params, ensemble.buffers, lesson.x)

    assert (compiler.graphs, compiler.runs) == (1, 1)
    assert_distinct(*out)
    assert_members_close(out, expected)


@pytest.mark.requirement("compiled.call")
@aot_eager
@pytest.mark.parametrize("case", [training_cases.SIMPLE_CNN, training_cases.TIED], ids=str)
def test_modules_of_many_kinds_compile(implementation, device, backend, case):
    lesson = SupervisedTask(case, 0, device)
    expected = lesson.loop(member_output)
    ensemble = Ensemble(implementation, lesson.models)
    compiler = Compiler(backend)

    out = compiler(ensemble.mapped())(ensemble.params, ensemble.buffers, lesson.x)

    assert (compiler.graphs, compiler.runs) == (1, 1)
    assert_members_close(out, expected)


@pytest.mark.requirement("compiled.state")
@aot_eager
def test_what_was_compiled_for_one_stack_answers_for_another(implementation, device, backend):
    first, second = make_two_tasks(training_cases.LINEAR, device)
    lessons = [first, second, first.select([3, 1, 4, 0, 2])]
    answers = [lesson.loop(member_output) for lesson in lessons]
    stacks = [Ensemble(implementation, lesson.models) for lesson in lessons]
    compiler = Compiler(backend)
    call = compiler(stacks[0].mapped())

    for who in (0, 1, 2, 0):
        out = call(stacks[who].params, stacks[who].buffers, lessons[who].x)

        assert_members_close(out, answers[who], f"output of stack {who}")
    assert (compiler.graphs, compiler.runs) == (1, 4)


@pytest.mark.requirement("compiled.held")
@eager
def test_the_stack_that_a_compiled_call_holds_is_read_at_each_call(implementation, device, backend):
    first, second = make_two_tasks(training_cases.LINEAR, device)
    third = first.select([3, 1, 4, 0, 2])
    second.x = third.x = first.x
    answers = [lesson.loop(member_output) for lesson in (first, second, third)]
    ensemble, other, last = (Ensemble(implementation, lesson.models) for lesson in (first, second, third))
    compiler = Compiler(backend)
    call = compiler(ensemble.__call__)

    outs = [call(first.x)]
    with torch.no_grad():
        for name, tensor in ensemble.params.items():
            tensor.copy_(other.params[name])
    outs.append(call(first.x))
    ensemble.params = last.params
    outs.append(call(first.x))

    for out, expected, when in zip(outs, answers, ("at first", "once written to", "once replaced"), strict=True):
        assert_members_close(out, expected, f"output {when}")
    assert compiler.runs == 3


SIZES = [(MEMBERS, SAMPLES), (3, 11), (1, SAMPLES), (MEMBERS, 1), (MEMBERS, SAMPLES)]


@pytest.mark.requirement("compiled.sizes")
@eager
@pytest.mark.parametrize("dynamic", [None, True], ids=["auto", "dynamic"])
def test_another_number_of_members_or_samples_is_answered_in_full(implementation, device, backend, dynamic):
    compiler = Compiler(backend, dynamic=dynamic)
    call = compiler(implementation.vmap(torch.matmul))

    for n, samples in SIZES:
        x, w = draw_whole_numbers(n, samples, 3, device=device), draw_whole_numbers(n, 3, 2, device=device, seed=n)
        out = call(x, w)

        assert_same(out, torch.stack([a @ b for a, b in zip(x, w, strict=True)]), f"{n} members on {samples} samples")
    assert compiler.runs == len(SIZES)


@pytest.mark.requirement("compiled.chunks")
@eager
def test_a_chunk_size_loses_no_member_when_another_number_comes(implementation, device, backend):
    compiler = Compiler(backend)
    call = compiler(implementation.vmap(torch.mul, chunk_size=2))

    for n in (3, MEMBERS, 2):
        x, y = (draw_whole_numbers(n, 2, device=device, seed=seed) for seed in (1, 2))
        out = call(x, y)

        assert_same(out, x * y, f"output of {n} members")
    assert compiler.runs == 3


@pytest.mark.requirement("compiled.dims")
@aot_eager
def test_dims_are_read_as_without_a_compiler(implementation, device, backend):
    x, y = draw_whole_numbers(3, MEMBERS, 7, device=device), draw_whole_numbers(7, device=device)
    compiler = Compiler(backend)

    out = compiler(implementation.vmap(sum_and_row, in_dims=(-2, None), out_dims={"sum": 1, "row": (-1, 0)}))(x, y)

    expected = {"sum": x + y, "row": (x[0].T, torch.ones(MEMBERS, 2, device=device))}
    assert compiler.runs == 1
    assert_same(out, expected, "output")


def sum_and_row(x, y):
    return {"sum": x + y, "row": (x[0], x.new_ones(2))}


@pytest.mark.requirement("compiled.numbers")
@eager
def test_a_number_that_changes_between_calls_is_read_at_each(implementation, device, backend):
    x = draw_whole_numbers(MEMBERS, 3, device=device)
    call = Compiler(backend)(implementation.vmap(torch.mul, in_dims=(0, None)))

    for factor in (2, 3, 5, 0.5, 0.25, 2):
        assert_same(call(x, factor), x * factor, f"output times {factor}")


@pytest.mark.requirement("compiled.writes")
@aot_eager
def test_a_write_to_an_input_reaches_the_callers_tensor(implementation, device, backend):
    call = Compiler(backend)(implementation.vmap(lambda x, y: x.add_(y).mul(2)))

    for seed in (1, 2):
        x, y = (draw_whole_numbers(MEMBERS, 3, device=device, seed=10 * seed + i) for i in range(2))
        expected = x + y
        out = call(x, y)

        assert_same(x, expected, "input")
        assert_same(out, expected * 2, "output")


@pytest.mark.requirement("compiled.exception")
@eager
@pytest.mark.parametrize("wrong", [(..., slice(1)), slice(1, None)], ids=["features", "members"])
def test_what_is_refused_leaves_the_next_call_right(implementation, device, backend, wrong):
    x, w = (
        draw_whole_numbers(MEMBERS, SAMPLES, 3, device=device),
        draw_whole_numbers(MEMBERS, 3, 2, device=device, seed=1),
    )
    compiler = Compiler(backend)
    call = compiler(implementation.vmap(torch.matmul))

    for _ in range(2):
        with refuses("size|shape"):
            call(x[wrong], w)
        out = call(x, w)

        assert_same(out, torch.stack([a @ b for a, b in zip(x, w, strict=True)]), "output")
    assert compiler.runs == 2


@pytest.mark.requirement("compiled.break")
@eager
def test_what_can_not_be_compiled_whole_is_answered_all_the_same(implementation, device, backend):
    first, second = make_two_tasks(training_cases.LINEAR, device)
    answers = [lesson.loop(member_output) for lesson in (first, second)]
    stacks = [Ensemble(implementation, lesson.models) for lesson in (first, second)]
    seen = []

    def member(params, buffers, x):
        torch._dynamo.graph_break()  # noqa: SLF001 - torch's documentation gives it this name
        seen.append(len(x))
        return stacks[0].member(params, buffers, x)

    call = Compiler(backend, fullgraph=False)(implementation.vmap(member))
    outs = [call(stack.params, stack.buffers, lesson.x) for stack, lesson in zip(stacks, (first, second), strict=True)]

    for out, expected in zip(outs, answers, strict=True):
        assert_members_close(out, expected)
    assert seen == [SAMPLES, SAMPLES]
