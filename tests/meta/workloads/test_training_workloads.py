"""Do the parts that gradients and training are judged with do what they say?"""

import pytest
import torch

from conformance.cases import optimizers, training_cases
from conformance.cases.data import SAMPLES
from conformance.cases.members import MEMBERS, members
from conformance.cases.optimizers import OptimizerConfig
from conformance.implementations.ensemble import Ensemble
from conformance.implementations.functorch import Functorch
from conformance.implementations.reference_loop import Reference
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.assertions import assert_members_close
from conformance.workloads.derivatives import DERIVATIVES
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients, member_gradients, member_results
from conformance.workloads.training import STEPS, TRAINING_MEMBERS, TrainingRun, member_trainer, train, training_result

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "case", [*training_cases.ALL, training_cases.TINY, training_cases.LEARNER, training_cases.MATRICES], ids=str
)
def test_a_case_fits_its_module(case):
    x = case.inputs(SAMPLES, device="cpu", dtype=torch.float32)

    assert members(case.factory, 1)[0](x).shape == case.targets(SAMPLES, device="cpu").shape
    assert str(case) == case.name


def test_inputs_and_targets_are_not_the_same_numbers():
    assert not torch.equal(training_cases.TINY.inputs(3, device="cpu"), training_cases.TINY.targets(3, device="cpu"))


@pytest.mark.parametrize("implementation", [TorchFunc(), Functorch(), Reference()], ids=lambda each: each.name)
def test_an_ensemble_is_by_name_and_learns_where_its_members_do(implementation):
    models = members(training_cases.FROZEN.factory, 3)

    ensemble = Ensemble(implementation, models)

    assert list(ensemble.params) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert list(ensemble.trainable) == ["fc1.bias", "fc2.weight", "fc2.bias"]
    assert ensemble(torch.ones(7, 3), data=None).shape == (3, 7, 2)
    assert ensemble(torch.ones(3, 7, 3)).shape == (3, 7, 2)


def test_an_ensemble_without_parameters_learns_nothing():
    ensemble = Ensemble(TorchFunc(), [torch.nn.Tanh(), torch.nn.Tanh()])

    assert ensemble.trainable == {}


@pytest.mark.parametrize(("data", "leading"), [(0, (MEMBERS, SAMPLES)), (None, (SAMPLES,))])
def test_a_lesson_has_a_minibatch_for_each_or_one_for_all(data, leading):
    lesson = SupervisedTask(training_cases.LAYER_NORM, data, "cpu")

    assert lesson.x.shape == (*leading, 3)
    assert lesson.target.shape == (*leading, 2)
    assert [given["x"].shape for given in lesson.member_data] == [(SAMPLES, 3)] * MEMBERS
    assert [given["target"].shape for given in lesson.member_data] == [(SAMPLES, 2)] * MEMBERS


@pytest.mark.parametrize("data", [0, None])
def test_a_lesson_of_some_members_keeps_what_they_are_given(data):
    lesson = SupervisedTask(training_cases.LAYER_NORM, data, "cpu", samples=3)

    some = lesson.select((4, 1))

    assert some.models == [lesson.models[4], lesson.models[1]]
    for ours, theirs in zip(some.member_data, (lesson.member_data[4], lesson.member_data[1]), strict=True):
        assert torch.equal(ours["x"], theirs["x"])
        assert torch.equal(ours["target"], theirs["target"])
    assert len(lesson.models) == MEMBERS
    assert lesson.x.shape[-2] == 3


@pytest.mark.parametrize("implementation", [TorchFunc(), Functorch(), Reference()], ids=lambda each: each.name)
@pytest.mark.parametrize("data", [0, None])
def test_everything_is_output_buffers_and_gradients(implementation, data):
    lesson = SupervisedTask(training_cases.BATCH_NORM_TRAIN, data, "cpu")
    expected = lesson.loop(member_results)

    found = lesson.ensemble_results(implementation)

    assert list(found) == ["output", "buffers", "gradients"]
    assert set(found["buffers"]) == {name for name, _ in lesson.models[0].named_buffers()}
    assert set(found["gradients"]) == {name for name, _ in lesson.models[0].named_parameters()}
    assert_members_close(found, expected)


def test_gradients_are_those_of_what_is_not_frozen():
    lesson = SupervisedTask(training_cases.FROZEN, 0, "cpu")
    ensemble = Ensemble(TorchFunc(), lesson.models)

    with pytest.raises(AssertionError, match=r"fc1.bias has no gradient"):
        ensemble_gradients(ensemble)
    lesson.losses(ensemble).sum().backward()

    assert list(ensemble_gradients(ensemble)) == list(member_gradients(lesson.models[0], lesson.member_data[0]))
    for tensor in ensemble.trainable.values():
        tensor.grad.zero_()
    with pytest.raises(AssertionError, match="an empty victory"):
        ensemble_gradients(ensemble)


def quadratic(at):
    """A function of which every derivative is known: outputs a*b and a*a."""
    return torch.stack([(at["a"] * at["b"]).sum(), (at["a"] * at["a"]).sum()])


@pytest.mark.parametrize("way", ["func", "backward"])
def test_derivatives_are_those_of_the_textbook(way):
    a, b = torch.tensor([2.0, 3.0], dtype=torch.float64), torch.tensor([5.0, 7.0], dtype=torch.float64)
    at, target = {"a": a, "b": b}, torch.tensor([1.0, 10.0], dtype=torch.float64)
    value = torch.tensor([31.0, 13.0], dtype=torch.float64)
    along = {"a": (3 * a).cos(), "b": (3 * b).cos()}
    jacobian = {"a": torch.stack([b, 2 * a]), "b": torch.stack([a, 0 * a])}
    # The loss is the mean of (value - target) ** 2 over two elements.
    gradient = {name: (value - target) @ rows for name, rows in jacobian.items()}
    second = {
        "a": {
            "a": torch.outer(b, b) + 4 * torch.outer(a, a) + 2 * 3 * torch.eye(2),
            "b": torch.outer(b, a) + 30 * torch.eye(2),
        },
        "b": {"a": torch.outer(a, b) + 30 * torch.eye(2), "b": torch.outer(a, a)},
    }
    product = {name: sum(block @ along[other] for other, block in blocks.items()) for name, blocks in second.items()}

    expected = {
        "grad": gradient,
        "grad_and_value": (gradient, ((value - target) ** 2).mean()),
        "vjp": (value, {name: target @ rows for name, rows in jacobian.items()}),
        "jvp": (value, jacobian["a"] @ along["a"] + jacobian["b"] @ along["b"]),
        "jacrev": jacobian,
        "jacfwd": jacobian,
        "hessian": second,
        "forward_over_reverse": product,
        "reverse_over_forward": product,
    }

    for name, derivative in DERIVATIVES.items():
        torch.testing.assert_close(getattr(derivative, way)(quadratic, at, target), expected[name], msg=name)


def test_a_course_trains_the_same_alone_and_as_a_stack():
    course = TrainingRun("cpu")
    sgd = OptimizerConfig("SGD", "momentum", {"lr": 0.1, "momentum": 0.9})
    ensemble = Ensemble(Reference(), course.models)
    optimizer = sgd.make(ensemble.params.values())

    expected = course.loop(member_trainer(sgd.make)).values
    course.train(ensemble, optimizer)

    actual = training_result(ensemble.params, optimizer)
    assert course.xs.shape == (STEPS, TRAINING_MEMBERS, SAMPLES, 2)
    assert list(actual["state"]["0.weight"]) == ["momentum_buffer"]
    for i in range(TRAINING_MEMBERS):
        torch.testing.assert_close(actual["params"]["0.weight"][i], expected[i]["params"]["0.weight"])


def test_training_lowers_the_loss():
    tensor = torch.tensor([3.0], requires_grad=True)

    train(OptimizerConfig("SGD", "fast", {"lr": 0.25}).make([tensor]), lambda _: tensor.square().sum(), range(20))

    assert abs(float(tensor.detach())) < 1e-3


def test_a_setting_says_why_it_can_not_be_run():
    assert OptimizerConfig("SGD").unavailable_reason(CPU) is None
    assert OptimizerConfig("LBFGS").unavailable_reason(CPU) is None
    assert OptimizerConfig("Nope").unavailable_reason(CPU) == "this torch has no torch.optim.Nope"
    assert "unexpected keyword argument 'warp'" in OptimizerConfig("SGD", "tuned", {"warp": 9}).unavailable_reason(CPU)
    assert str(OptimizerConfig("SGD", "tuned")) == "SGD-tuned"


def test_what_torch_has_and_nobody_looked_at_is_named(monkeypatch):
    monkeypatch.setattr(torch.optim, "Newest", type("Newest", (torch.optim.SGD,), {}), raising=False)
    newest = type("NewestLR", (torch.optim.lr_scheduler.StepLR,), {})
    monkeypatch.setattr(torch.optim.lr_scheduler, "NewestLR", newest, raising=False)

    assert optimizers.uncovered_optimizers() == ["Newest"]
    assert optimizers.uncovered_schedulers() == ["NewestLR"]
