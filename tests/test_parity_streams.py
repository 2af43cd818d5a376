"""Is an ensemble right on an asynchronous device: in streams, in graphs, and within its memory?"""

import pytest
import torch
from torch import nn

from conformance.cases.members import members
from conformance.cases.training_cases import BATCH_NORM_TRAIN, LAYER_NORM
from conformance.devices.features import (
    GRAPHS,
    MEMORY,
    STREAMS,
    SYNCHRONIZE,
    allocated_bytes,
    capture_graph,
    device_namespace,
    on_a_stream,
    peak_bytes,
)
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.workloads.supervised import SupervisedTask, member_output, member_results

each_case = pytest.mark.parametrize("case", [LAYER_NORM, BATCH_NORM_TRAIN], ids=str)

# Multiple of the peak of a loop that keeps all members' activations for backward. On the simulated device it is 2.1
# (torch 2.13.0), since an operation on all members holds the outputs of all of them at once.
MULTIPLE = 4


@pytest.mark.requirement("parity.streams")
@pytest.mark.parametrize("needs", [STREAMS], ids=str)
@each_case
def test_on_another_stream_it_learns_what_the_loop_learns(implementation, device, needs, case):
    lesson = SupervisedTask(case, 0, device, dtype=torch.float32)

    with on_a_stream(device):
        actual = lesson.ensemble_results(implementation)

    assert_members_close(actual, lesson.loop(member_results))


@pytest.mark.requirement("parity.synchronized")
@pytest.mark.parametrize("needs", [SYNCHRONIZE], ids=str)
@each_case
def test_what_is_read_before_the_device_is_awaited_is_what_is_there_after(implementation, device, needs, case):
    lesson = SupervisedTask(case, 0, device, dtype=torch.float32)
    ensemble = Ensemble(implementation, lesson.models)

    out = ensemble(lesson.x).detach()
    early = out.to("cpu", copy=True)
    device_namespace(device).synchronize()

    assert_distinct(*early)
    assert_same(out.cpu(), early)


@pytest.mark.requirement("parity.graphs")
@pytest.mark.parametrize("needs", [GRAPHS], ids=str)
def test_a_captured_call_replays_for_the_state_and_minibatches_of_the_day(implementation, device, needs):
    lesson = SupervisedTask(LAYER_NORM, 0, device, dtype=torch.float32)
    later = members(LAYER_NORM.factory, len(lesson.models), seed=1, device=device, dtype=torch.float32)
    ensemble, x = Ensemble(implementation, lesson.models), lesson.x.clone()

    with torch.no_grad():
        graph, out = capture_graph(device, lambda: ensemble(x))
        graph.replay()
        first = out.clone()
        for name, tensor in ensemble.params.items():
            tensor.copy_(torch.stack([model.get_parameter(name) for model in later]))
        x.neg_()
        graph.replay()

    assert_members_close(first, lesson.loop(member_output))
    lesson.models, lesson.x = later, -lesson.x
    assert_members_close(out, lesson.loop(member_output))


class Wide(nn.Module):
    """A network with much more activation than state, so that the minibatch takes the memory."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(8, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh()
        )

    def forward(self, x):
        return self.layers(x).square().mean()


def learned_by_the_loop(models, x):
    torch.stack([model(each) for model, each in zip(models, x, strict=True)]).sum().backward()


@pytest.mark.requirement("parity.memory_peak")
@pytest.mark.parametrize("needs", [MEMORY], ids=str)
def test_the_ensemble_takes_at_most_a_multiple_of_the_loops_memory(implementation, device, needs):
    models = members(Wide, 5, device=device)
    x = torch.rand(5, 4096, 8, device=device)
    ensemble = Ensemble(implementation, models)

    # The first call of each allocates workspaces of the device's libraries, which count for neither.
    learned_by_the_loop(models, x)
    ensemble(x).sum().backward()
    loop = peak_bytes(device, lambda: learned_by_the_loop(models, x))
    together = peak_bytes(device, lambda: ensemble(x).sum().backward())

    assert loop > 5 * 4096 * 64 * 4, "an empty victory: the loop takes no memory to speak of"
    assert together <= MULTIPLE * loop, f"{together} bytes, and the loop takes {loop}"


@pytest.mark.requirement("parity.memory_given_back")
@pytest.mark.parametrize("needs", [MEMORY], ids=str)
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_what_a_call_took_is_given_back(implementation, device, needs, chunk_size):
    models = members(Wide, 5, device=device)
    x = torch.rand(5, 512, 8, device=device)

    def call():
        ensemble = Ensemble(implementation, models)
        ensemble(x, chunk_size=chunk_size).sum().backward()

    call()
    before = allocated_bytes(device)
    call()

    assert allocated_bytes(device) == before
