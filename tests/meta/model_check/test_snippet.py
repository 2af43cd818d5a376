"""Does the code that ensembles a model fit the model, and run?"""

from dataclasses import dataclass

import pytest
import torch
from check_questions import CPU, ask
from torch import nn

from conformance.checks.calls import make_minibatch
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import step_runner, worker
from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.model_loader import load_model
from conformance.model_check.snippet import snippet_result
from conformance.model_check.snippet_inputs import describe_arguments
from conformance.model_check.terminal import snippet_lines

ALL_RIGHT = {"own_minibatch": "right", "backward": "right", "grad": "right"}


def code_of(model, *inputs, **statuses):
    """The result for a model of theirs.py."""
    request = ask(f"theirs:{model}", inputs or ("3",))
    return snippet_result(load_model(request), request, CPU, ALL_RIGHT | statuses)


class Made(nn.Module):
    """A linear layer whose output `make` changes; its other arguments are constants, or added up."""

    def __init__(self, make=lambda y: y):
        super().__init__()
        self.linear, self.make = nn.Linear(3, 2), make

    def forward(self, x, *more, scale=None):
        y = self.linear(x["x"] if isinstance(x, dict) else x)
        return self.make(y if scale is None else y * scale)


def code_for(minibatch, make=lambda y: y, **statuses):
    """The result for a `Made`, which no name leads to."""
    case = LoadedModel("made", [Made(make) for _ in range(3)], lambda n, device, dtype: [minibatch] * n)
    return snippet_result(case, ask("somewhere/else.py:Made", ("3",)), CPU, ALL_RIGHT | statuses)


X = torch.zeros(7, 3)


def test_the_code_stacks_calls_trains_unstacks_and_saves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = code_of("mlp")

    assert found["status"] == "right"
    assert list(tmp_path.iterdir()) == []
    namespace = {}
    exec(found["code"], namespace)  # noqa: S102 - as the reader runs it
    assert namespace["outputs"].shape == (3, 7, 2)
    saved = torch.load(tmp_path / "members.pt", weights_only=True)
    for i, state in enumerate(saved):
        torch.testing.assert_close(state["0.weight"], namespace["params"]["0.weight"][i].detach())
        torch.testing.assert_close(state["1.running_mean"], namespace["buffers"]["1.running_mean"][i])
        assert state["1.running_mean"].any()


def test_the_users_models_are_not_changed():
    request = ask("theirs:mlp", ("3",))
    case = load_model(request)
    before = [{name: tensor.clone() for name, tensor in model.state_dict().items()} for model in case.made]

    snippet_result(case, request, CPU, ALL_RIGHT)

    for model, state in zip(case.made, before, strict=True):
        torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)


def test_a_model_that_draws_is_called_in_mode_different():
    assert 'randomness="different"' in code_of("dropped")["code"]
    assert 'randomness="error"' in code_of("mlp")["code"]


def test_the_way_to_train_is_the_one_that_is_right():
    by_grad = code_of("mlp", backward="refused")["code"]
    without = code_of("mlp", backward="refused", grad="wrong")["code"]
    without_forward = code_of("mlp", own_minibatch="refused", backward="refused")["code"]

    assert "since backward through the ensemble is refused" in by_grad
    assert "losses.sum().backward()" not in by_grad
    assert "optimizer" not in without
    assert "outputs =" in without
    assert "outputs =" not in without_forward
    assert "grad(member_loss)" in without_forward


@pytest.mark.parametrize(
    ("statuses", "reason"),
    [
        ({"own_minibatch": "wrong", "grad": "wrong"}, "the ensemble is wrong"),
        ({"own_minibatch": "refused", "grad": "refused"}, "the ensemble is refused"),
    ],
)
def test_no_code_is_shown_for_an_ensemble_that_is_not_right(statuses, reason):
    found = code_of("mlp", **statuses)

    assert found == {"status": "not shown", "message": reason, "code": ""}
    assert snippet_lines(found) == [f"# no code: {reason}"]


def test_inputs_are_described_as_they_are():
    code = code_of("Three", ":inputs")["code"]

    assert "x = torch.randn(3, 7, 3)\nindex = torch.randint(0, 7, (3, 7))\nfactor = 2\n" in code
    assert "in_dims=(0, 0, 0, 0, None)" in code


def test_a_range_is_the_one_of_the_command_line():
    code = code_of("embedding", "1:5..6")["code"]

    assert "x = torch.randint(5, 7, (3, 7, 1))" in code


@pytest.mark.parametrize(
    ("minibatch", "inputs", "call"),
    [
        (make_minibatch((X,), {"scale": X[:, :1]}), "scale = torch.randn(3, 7, 1)", '(x,), {"scale": scale})'),
        (make_minibatch((X,), {"scale": None}), "scale = None", "in_dims=(0, 0, 0, None)"),
        (({"x": X},), "x = {'x': torch.randn(3, 7, 3)}", "in_dims=(0, 0, {'x': 0})"),
    ],
    ids=["keyword", "constant", "dict"],
)
def test_dicts_and_keywords_are_kept(minibatch, inputs, call):
    found = code_for(minibatch)

    assert found["status"] == "right"
    assert inputs in found["code"]
    assert call in found["code"]


def test_lists_and_tuples_are_kept():
    more = [X > 0, (1, X.int())], (), [1]

    _, booleans, empty, constants = describe_arguments(Made(), [(X, *more)] * 3, ask("a:b", ("3",)), CPU)

    assert booleans.code == "[torch.rand(3, 7, 3) < 0.5, (1, torch.randint(0, 1, (3, 7, 3), dtype=torch.int32),)]"
    assert (booleans.dims, booleans.name) == ("[0, (None, 0,)]", "x_1")
    assert (empty.code, empty.dims) == ("()", "None")
    assert (constants.code, constants.dims) == ("[1]", "None")


def test_inputs_that_the_model_does_not_take_are_said():
    assert code_for((X[:, :2],))["message"].startswith("the code fails: RuntimeError: ")


class Builtin(nn.Module):
    """A module whose forward has no signature that can be read."""

    forward = staticmethod(torch.tanh)


def test_an_argument_without_a_name_gets_one():
    (found,) = describe_arguments(Builtin(), [(X,)], ask("a:b", ("3",)), torch.device("meta"))

    assert (found.name, found.code) == ("x", 'torch.randn(1, 7, 3, device="meta")')


@dataclass
class Record:
    number: int
    logits: torch.Tensor


class Empty:
    """An output without a name for its tensors."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda y: {"index": y.argmax(1), "y": y}, "output['y'].abs()"),
        (lambda y: (y, y), "output[0].abs()"),
        (lambda y: {"index": y.argmax(1)}, "outputs ="),
        (lambda y: (None, y), "functional_call(base, (params, buffers), (x,))[1]"),
        (lambda y: Record(1, y), "functional_call(base, (params, buffers), (x,)).logits"),
        (lambda y: y.argmax(1), "outputs ="),
    ],
    ids=["dict", "tuple", "indices", "none", "record", "index"],
)
def test_the_loss_is_of_a_floating_tensor(make, said):
    found = code_for((X,), make)

    assert found["status"] == "right"
    assert said in found["code"]


@pytest.mark.parametrize("output", [Empty(), Record(1, 2), [None]], ids=["slots", "record", "list"])
def test_an_output_without_a_name_is_said(output):
    found = code_for((X,), lambda y: output)

    assert "its output of 0 tensors has a structure" in found["message"]


def test_code_that_trains_to_nan_is_not_shown():
    found = code_for((X,), lambda y: y / 0, grad="wrong")

    assert "optimizer" not in found["code"]


def test_another_device_is_named():
    request = ask("theirs:mlp", ("3",))
    meta = torch.device("meta")
    case = LoadedModel("mlp", load_model(request).made, lambda n, device, dtype: [(X.to(device),)] * n)

    found = snippet_result(case, request, meta, ALL_RIGHT)

    assert found["status"] == "not shown"


def leave(*args):
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("fail", "status", "message"),
    [
        (lambda *args: 1 / 0, "not shown", "ZeroDivisionError: division by zero"),
        (leave, "crash", "the model raises SystemExit: 3"),
    ],
)
def test_a_model_that_fails_meanwhile_is_an_answer(monkeypatch, fail, status, message):
    monkeypatch.setattr(step_runner, "snippet_result", fail)
    request = ask("theirs:mlp", ("3",))
    runner = step_runner.StepRunner(load_model(request), TorchFunc(), CPU, None, 3)

    assert runner.make_snippet(request, {}) == {"status": status, "message": message}


def test_the_worker_makes_it_after_the_checks():
    request = ask("theirs:mlp", ("3",), speed=False, snippet=True)

    *_, last = worker.run_steps(request, ())

    assert last[1]["status"] == "right"
    assert last[1]["code"].startswith("import copy\n")
