"""Is a check asked in the ways that do not let one cause hide what is right?"""

from functools import partial

import pytest
import torch
from asked_modules import (
    Encoder,
    Head,
    Recurrent,
    Untrained,
    Words,
    WritesToLeaf,
    mapped_noise,
    noise,
    normal,
    other_order,
)
from check_questions import CPU, ask
from torch import nn

from conformance.checks.model_checks import CHECKS
from conformance.checks.outcome import Outcome
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import asking as asking_module
from conformance.model_check import step_runner, worker
from conformance.model_check.asking import (
    DIFFERENT,
    DISTRIBUTION,
    NO_DROPOUT,
    NO_GRAD,
    OTHER_DRAWS,
    OUTPUTS,
    SHARED,
    Asking,
)
from conformance.model_check.loaded_model import LoadedModel
from conformance.numerics.plain_loop import PlainLoopError


def floats(*size):
    return lambda n, device, dtype: [(torch.randn(*size, dtype=dtype),) for _ in range(n)]


def words(n, device, dtype):
    return [(torch.randint(0, 10, (7, 2)),) for _ in range(n)]


def asking(make, draw=None, **options):
    torch.manual_seed(0)
    case = LoadedModel("model", [make() for _ in range(3)], draw or floats(7, 3))
    return Asking(case, TorchFunc(), CPU, None, 3, **options)


def dropped():
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))


def evaluated(make):
    return make().eval()


@pytest.mark.parametrize(
    ("make", "step", "status", "form"),
    [
        (dropped, "own_minibatch", "right", ""),
        (dropped, "buffers", "not applicable", ""),
        (dropped, "per_sample", "right", NO_DROPOUT),
        (dropped, "randomness", "right", ""),
        (partial(evaluated, dropped), "modes", "right", ""),
        (partial(evaluated, dropped), "randomness", "not applicable", ""),
        (partial(Head, noise), "own_minibatch", "right", ""),
        (partial(Head, noise), "per_sample", "not applicable", ""),
        (partial(Head, normal), "own_minibatch", "right", DISTRIBUTION),
        (partial(Head, normal), "shared_minibatch", "right", DISTRIBUTION),
        (partial(Head, normal), "modes", "right", DISTRIBUTION),
        (partial(Head, normal), "order", "not applicable", ""),
        (partial(Head, mapped_noise), "own_minibatch", "wrong", DISTRIBUTION),
        (partial(Head, mapped_noise), "randomness", "wrong", ""),
        (partial(Head, other_order), "own_minibatch", "right", DISTRIBUTION),
        (partial(Head, other_order), "backward", "right", ""),
        (partial(Head, lambda y: y + 1), "own_minibatch", "right", ""),
        (WritesToLeaf, "own_minibatch", "right", NO_GRAD),
        (WritesToLeaf, "isolation", "right", NO_GRAD),
        (WritesToLeaf, "backward", "not applicable", ""),
        (Untrained, "backward", "refused", ""),
        (Untrained, "order", "right", OUTPUTS),
        (Untrained, "isolation", "right", OUTPUTS),
    ],
)
def test_a_check_is_asked_in_a_way_that_it_can_answer(make, step, status, form):
    found, way = asking(make).ask(step)

    assert (found.status.value, way.form) == (status, form)


@pytest.mark.parametrize("step", ["own_minibatch", "backward", "order", "meta_base"])
def test_dropout_in_another_order_is_not_wrong(step):
    found, way = asking(Encoder, floats(7, 3, 4)).ask(step)

    assert (found.status, way.form) == (Outcome.RIGHT, NO_DROPOUT)
    assert not found.slow


def test_a_transform_without_a_formula_for_the_model_without_dropout_is_asked_with_it(monkeypatch):
    def check(subject):
        if subject.models[0][1].p:
            raise AssertionError("it draws in another order")
        raise PlainLoopError("no formula")

    monkeypatch.setattr(asking_module, "CHECKS", {"grad": check})

    found, way = asking(dropped).ask("grad")

    assert (found.status, way.form) == (Outcome.RIGHT, DISTRIBUTION)


def test_what_is_refused_in_forward_is_refused_once_and_not_in_torch_func_grad():
    asked = asking(Recurrent, floats(7, 2, 3))

    assert asked.ask("own_minibatch")[0].status is Outcome.REFUSED
    assert asked.ask("order")[0].status is Outcome.REFUSED
    assert asked.ask("grad")[0].status is Outcome.RIGHT


def test_minibatches_of_different_sizes_are_asked_with_one_for_all():
    sizes = iter(range(2, 1000))

    def draw(n, device, dtype):
        return [(torch.randn(next(sizes), 3, dtype=dtype),) for _ in range(n)]

    asked = asking(dropped, draw)

    found, _ = asked.ask("own_minibatch")
    shared, way = asked.ask("shared_minibatch")

    assert found.status is Outcome.NOT_APPLICABLE
    assert found.message == "the minibatches of the members have different sizes"
    assert (shared.status, way.form) == (Outcome.RIGHT, SHARED)


def test_an_index_is_refused_by_a_model_that_draws_in_mode_different_alone():
    class Drawn(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.randn(10, 4))

        def forward(self, x):
            return torch.normal(self.table[x], 1.0)

    found, way = asking(Drawn, words).ask("out_of_range")

    assert (found.status, way.form) == (Outcome.RIGHT, DIFFERENT)


def test_without_backward_the_outputs_are_compared_alone():
    found, way = asking(partial(Words, 0), words, gradients=False).ask("order")

    assert (found.status, way.form) == (Outcome.RIGHT, OUTPUTS)


def test_draws_that_can_t_be_compared_say_so():
    found, _ = asking(partial(Head, other_order)).ask("restored")

    assert (found.status, found.message) == (Outcome.NOT_APPLICABLE, OTHER_DRAWS)


def test_a_model_that_does_not_run_is_not_applicable():
    found, way = asking(partial(Head, lambda y: 1 / 0)).ask("own_minibatch")

    assert (found.status, way.form) == (Outcome.NOT_APPLICABLE, "")
    assert "ZeroDivisionError" in found.message


def runner(make, draw=None, **options):
    return step_runner.StepRunner(asking(make, draw).case, TorchFunc(), CPU, None, 3, ask("my:net", ("3",), **options))


@pytest.mark.parametrize(
    ("make", "modes", "step", "status"),
    [
        (dropped, (), "modes", "right"),
        (dropped, ("train",), "modes", "not applicable"),
        (partial(evaluated, dropped), (), "modes", "not applicable"),
        (partial(evaluated, dropped), (), "buffers", "not applicable"),
        (partial(evaluated, dropped), ("train", "eval"), "modes", "right"),
    ],
)
def test_an_eval_mode_model_is_asked_in_train_mode_only_on_request(make, modes, step, status):
    told = runner(make, modes=modes).run_check(step)

    assert told["status"] == status
    assert ("--modes train,eval asks both" in told["message"]) == (status != "right")


@pytest.mark.parametrize(("modes", "training"), [((), True), (("eval",), False), (("eval", "train"), True)])
def test_a_model_is_put_in_a_mode_that_is_asked(modes, training):
    events = worker.run_steps(ask("theirs:mlp", ("3",), modes=modes), CHECKS)

    facts = next(value for name, value in events if name == "model")

    assert facts["training"] is training


def test_mode_same_is_described():
    told = runner(partial(Head, normal)).run_check("randomness")

    assert told["status"] == "right"
    assert told["same"].startswith("is refused: RuntimeError: Vmap does not currently support same randomness")


def test_one_cause_has_one_place(monkeypatch):
    located = []
    monkeypatch.setattr(step_runner, "locate_failure", lambda error, again: located.append(error) or Place())
    asked = runner(Recurrent, draw=floats(7, 2, 3))

    told = [asked.run_check(step) for step in ("own_minibatch", "restored", "own_minibatch")]

    assert [each["operation"] for each in told] == ["aten::gru"] * 3
    assert len(located) == 1


class Place:
    """The location of a failure."""

    def __init__(self):
        self.operation = "aten::gru"


def test_a_distribution_has_no_place():
    told = runner(partial(Head, mapped_noise)).run_check("own_minibatch")

    assert (told["status"], told["form"]) == ("wrong", DISTRIBUTION)
    assert "operation" not in told


def test_a_model_without_a_gradient_says_so():
    told = runner(partial(Head, lambda y: y.argmax(1))).run_check("backward")

    assert told["status"] == "not applicable"
    assert told["message"] == "no output is a floating tensor, so there is no gradient"
