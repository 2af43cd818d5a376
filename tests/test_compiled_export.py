"""Does an exported, traced or ahead-of-time compiled ensemble compute with the state of each call?"""

import pytest
import torch
from torch import nn
from torch.fx.experimental import proxy_tensor

from conformance.cases import training_cases
from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close, assert_same, refuses
from conformance.utils.child_process import run_in_child
from conformance.utils.torch_compile import EAGER, INDUCTOR, Compiler
from conformance.workloads.inductor import assert_compiled_matches_loop
from conformance.workloads.supervised import loss, make_two_tasks, member_gradients, member_output


class Program(nn.Module):
    """A module without state that calls `func`, for export."""

    def __init__(self, func):
        super().__init__()
        self.func = func

    def forward(self, *args):
        return self.func(*args)


@pytest.mark.requirement("compiled.exported")
@pytest.mark.parametrize("strict", [True, False], ids=["dynamo", "python"])
def test_an_exported_ensemble_answers_for_the_stack_that_it_is_given(implementation, device, strict):
    lessons = make_two_tasks(training_cases.LINEAR, device)
    answers = [lesson.loop(member_output) for lesson in lessons]
    stacks = [Ensemble(implementation, lesson.models) for lesson in lessons]
    calls = [(stack.detached, stack.buffers, lesson.x) for stack, lesson in zip(stacks, lessons, strict=True)]

    program = torch.export.export(Program(stacks[0].mapped()), calls[0], strict=strict)

    assert not program.constants
    assert not program.state_dict
    for call, expected in zip(calls, answers, strict=True):
        assert_members_close(program.module()(*call), expected)


@pytest.mark.requirement("compiled.exported_sizes")
def test_an_exported_ensemble_answers_for_other_sizes_that_it_was_exported_for(implementation, device):
    n, samples = (torch.export.Dim(name, min=2, max=64) for name in ("n", "samples"))
    args = draw(MEMBERS, SAMPLES, 3, device=device), draw(MEMBERS, 3, 2, device=device)
    dims = (({0: n, 1: samples}, {0: n}),)

    program = torch.export.export(Program(implementation.vmap(torch.matmul)), args, dynamic_shapes=dims)

    for members, batch in ((MEMBERS, SAMPLES), (3, 11), (2, 2)):
        x, w = (draw(members, *shape, device=device).mul(8).round() for shape in ((batch, 3), (3, 2)))
        assert_same(program.module()(x, w), torch.stack([a @ b for a, b in zip(x, w, strict=True)]), "output")


@pytest.mark.requirement("compiled.traced")
@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_a_trace_of_an_ensemble_answers_for_the_stack_that_it_is_given(implementation, device, mode):
    lessons = make_two_tasks(training_cases.LAYER_NORM, device)
    answers = [lesson.loop(member_output) for lesson in lessons]
    stacks = [Ensemble(implementation, lesson.models) for lesson in lessons]
    calls = [(stack.detached, stack.buffers, lesson.x) for stack, lesson in zip(stacks, lessons, strict=True)]

    trace = proxy_tensor.make_fx(stacks[0].mapped(), tracing_mode=mode)(*calls[0])

    for call, expected in zip(calls, answers, strict=True):
        assert_members_close(trace(*call), expected)


@pytest.mark.requirement("compiled.traced_sizes")
def test_a_symbolic_trace_answers_for_other_sizes(implementation, device):
    args = draw(MEMBERS, SAMPLES, 3, device=device), draw(MEMBERS, 3, 2, device=device)

    trace = proxy_tensor.make_fx(implementation.vmap(torch.matmul), tracing_mode="symbolic")(*args)

    for members, batch in ((MEMBERS, SAMPLES), (3, 11), (2, 2)):
        x, w = (draw(members, *shape, device=device).mul(8).round() for shape in ((batch, 3), (3, 2)))
        assert_same(trace(x, w), torch.stack([a @ b for a, b in zip(x, w, strict=True)]), "output")


@pytest.mark.requirement("compiled.traced_gradients")
def test_a_trace_of_the_gradients_answers_for_the_stack_that_it_is_given(implementation, device):
    lessons = make_two_tasks(training_cases.LAYER_NORM, device)
    answers = [lesson.loop(member_gradients) for lesson in lessons]
    stacks = [Ensemble(implementation, lesson.models) for lesson in lessons]
    calls = [
        (stack.detached, stack.buffers, lesson.x, lesson.target) for stack, lesson in zip(stacks, lessons, strict=True)
    ]

    def of_member(params, buffers, x, target):
        return loss(stacks[0].member(params, buffers, x), target)

    trace = proxy_tensor.make_fx(implementation.vmap(torch.func.grad(of_member)))(*calls[0])

    for call, expected in zip(calls, answers, strict=True):
        assert_members_close(trace(*call), expected, "gradient")


@pytest.mark.child
@pytest.mark.requirement("compiled.native")
@pytest.mark.parametrize("backend", [INDUCTOR], ids=str)
def test_machine_code_answers_and_learns_as_the_loop(implementation, device, backend):
    run_in_child(assert_compiled_matches_loop, implementation, device)


@pytest.mark.requirement("compiled.legacy")
@pytest.mark.parametrize("backend", [EAGER], ids=str)
def test_a_legacy_ensemble_is_refused_where_it_has_to_be_compiled_whole(implementation, device, backend):
    first, _ = make_two_tasks(training_cases.LINEAR, device)
    ensemble = Ensemble(implementation, first.models)
    compiler = Compiler(backend)

    with refuses("FunctionalModule"):
        compiler(ensemble.mapped())(ensemble.params, ensemble.buffers, first.x)

    assert compiler.runs == 0
