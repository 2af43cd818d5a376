"""Does the same call give the same result again, with one thread and with two?"""

import pytest
import torch

from conformance.cases import optimizers, training_cases
from conformance.cases.data import SAMPLES
from conformance.cases.optimizers import OptimizerConfig
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.utils.pytree import tree_map
from conformance.utils.torch_settings import Threads
from conformance.workloads.supervised import SupervisedTask, loss, member_output_and_buffers, member_results
from conformance.workloads.training import train, training_result

ADAM = OptimizerConfig("Adam", "tuned", optimizers.TUNED["Adam"])
MANY = 1000  # samples, so that there is work for a second thread

# Few cases, of all kinds: with more threads than cores, each parallel operation takes milliseconds.
TWO_THREADS = (
    (training_cases.LAYER_NORM, MANY),
    (training_cases.SIMPLE_CNN, SAMPLES),
    (training_cases.BATCH_NORM_TRAIN, SAMPLES),
    (training_cases.TIED, SAMPLES),
)


def runs_of(cases):
    """Return each case with one thread, and the cases of `TWO_THREADS` with two."""
    one = [
        pytest.param(case, SAMPLES, data, Threads(1), id=f"{case}-{name}-1-thread")
        for case in cases
        for data, name in ((0, "own"), (None, "shared"))
    ]
    two = [
        pytest.param(case, samples, 0, Threads(2), id=f"{case}-{samples}-samples-2-threads")
        for case, samples in TWO_THREADS
        if case in cases
    ]
    # Not first or last: the kill matrix runs these two for faults in other requirements.
    return pytest.mark.parametrize(("case", "samples", "data", "threads"), [*one[:1], *two, *one[1:]])


def assert_repeated(run):
    """Assert that `run()` gives bitwise the same again, also with its tensors elsewhere in memory."""
    first = run()
    _elsewhere = [torch.empty(17 * i + 1) for i in range(20)]
    assert_same(run(), first, "result")


@pytest.mark.requirement("determinism.repeated_forward")
@runs_of(training_cases.ALL)
def test_a_forward_pass_gives_the_same_again(implementation, device, case, samples, data, threads):
    lesson = SupervisedTask(case, data, device, torch.float32, samples=samples)

    def forward():
        ensemble = Ensemble(implementation, lesson.models)
        out = ensemble(lesson.x, data).detach()
        assert_distinct(*out)
        return {"output": out, "buffers": ensemble.buffers}

    with threads.at_work():
        assert_repeated(forward)


@pytest.mark.requirement("determinism.repeated_backward")
@runs_of(training_cases.ALL)
def test_a_backward_pass_gives_the_same_again(implementation, device, case, samples, data, threads):
    lesson = SupervisedTask(case, data, device, torch.float32, samples=samples)

    with threads.at_work():
        assert_repeated(lambda: lesson.ensemble_results(implementation)["gradients"])


@pytest.mark.requirement("determinism.repeated_grad")
@runs_of(training_cases.PURE)
def test_grad_inside_vmap_gives_the_same_again(implementation, device, case, samples, data, threads):
    lesson = SupervisedTask(case, data, device, torch.float32, samples=samples)
    ensemble = Ensemble(implementation, lesson.models)

    def alone(params, buffers, x, target):
        return loss(ensemble.member(params, buffers, x), target)

    with threads.at_work():
        assert_repeated(lambda: ensemble.map(torch.func.grad(alone), lesson.x, lesson.target, data=data))


@pytest.mark.requirement("determinism.repeated_training")
@runs_of(training_cases.ALL)
def test_training_gives_the_same_again(implementation, device, case, samples, data, threads):
    lesson = SupervisedTask(case, data, device, torch.float32, samples=samples)

    def training():
        ensemble = Ensemble(implementation, lesson.models)
        before = tree_map(torch.clone, ensemble.detached)
        optimizer = ADAM.make(ensemble.trainable.values())
        train(optimizer, lambda _: lesson.losses(ensemble).sum(), range(3))
        for name, tensor in ensemble.trainable.items():
            assert_distinct(tensor, before[name])
        return {**training_result(ensemble.trainable, optimizer), "buffers": ensemble.buffers}

    with threads.at_work():
        assert_repeated(training)


@pytest.mark.requirement("determinism.threads")
@pytest.mark.parametrize(("case", "samples"), TWO_THREADS, ids=str)
@pytest.mark.parametrize("threads", [Threads(2)], ids=str)
def test_with_two_threads_members_answer_as_the_loop_does_with_one(implementation, device, case, samples, threads):
    lesson = SupervisedTask(case, 0, device, torch.float32, samples=samples)
    with Threads(1).at_work():
        expected = lesson.loop(member_output_and_buffers)
    ensemble = Ensemble(implementation, lesson.models)

    with threads.at_work():
        out = ensemble(lesson.x).detach()

    assert_distinct(*out)
    assert_members_close({"output": out, "buffers": ensemble.buffers}, expected, "result")


# With two threads BatchNorm adds up in another order, and it adds float32 up in float64. The budget of float64 comes
# from the loop in float32, which therefore does not include the error of that order.
LOOPS = [(case, samples, Threads(2 if case is training_cases.BATCH_NORM_TRAIN else 1)) for case, samples in TWO_THREADS]


@pytest.mark.requirement("determinism.threads")
@pytest.mark.parametrize(("case", "samples", "of_loop"), LOOPS, ids=str)
@pytest.mark.parametrize("threads", [Threads(2)], ids=str)
def test_with_two_threads_members_get_the_loops_gradients(implementation, device, case, samples, of_loop, threads):
    lesson = SupervisedTask(case, 0, device, samples=samples)
    with of_loop.at_work():
        expected = lesson.loop(member_results)

    with threads.at_work():
        actual = lesson.ensemble_results(implementation)

    assert_members_close(actual, expected, "result")
