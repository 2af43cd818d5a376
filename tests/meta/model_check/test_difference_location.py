"""Is the operation, the module and the line named at which an ensemble first differs from its members?"""

import itertools

import pytest
import torch
from asked_models import asked, loaded
from remedied_code import hooked, hooking_quietly
from remedied_modules import SAMPLES, TOKENS, computing
from remedied_state import Scaled, as_number, replacing, writing
from torch import nn

from conformance.cases.networks import TiedNet
from conformance.checks.subject import Subject
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import difference_location, gradient_difference, operation_trace
from conformance.model_check.failure_location import FailureLocation


def sign_of(gradient):
    """Return 1, or -1 for what vmap maps, which has no number."""
    try:
        float(gradient.sum())
    except RuntimeError:
        return -1
    return 1


class Turned(torch.autograd.Function):
    """A function whose derivative has another sign inside vmap."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return gradient * sign_of(gradient)

    @staticmethod
    def jvp(ctx, tangent):
        return tangent * sign_of(tangent)


class Mixing(TorchFunc):
    """An implementation whose parameters hold a trace of the other members, which shows where one is not finite."""

    def combine(self, models):
        fmodel, params, buffers = super().combine(models)
        mixed = {name: (each + 0 * each.sum(0)).detach().requires_grad_() for name, each in params.items()}
        return fmodel, mixed, buffers


class Two(nn.Module):
    """An embedding with a padding index, and a layer that is called twice."""

    def __init__(self):
        super().__init__()
        self.embedding, self.linear = nn.Embedding(11, 3, padding_idx=0), nn.Linear(3, 3)

    def forward(self, index):
        x = self.embedding(index)
        self.linear(x).exp()  # is not used
        return self.linear(self.linear(x).tanh())


class Deep(nn.Module):
    """A module that is as deep as `depths` says, from one member to the next."""

    def __init__(self, depths):
        super().__init__()
        self.linear, self.depth = nn.Linear(3, 3), next(depths)

    def forward(self, x):
        for _ in range(self.depth):
            x = self.linear(x)
        return x


def deeper(*depths):
    turns = itertools.cycle(depths)
    return lambda: Deep(turns)


SCALED = "return self.linear(x) * self.scale"
KNOWN = [
    (lambda: Scaled(as_number), SAMPLES, "own_minibatch", "torch.Tensor.mul", "Scaled", SCALED),
    (lambda: Scaled(as_number), SAMPLES, "shared_minibatch", "torch.Tensor.mul", "Scaled", SCALED),
    (lambda: Scaled(as_number), SAMPLES, "order", "torch.Tensor.mul", "Scaled", SCALED),
    (lambda: Scaled(as_number), SAMPLES, "modes", "torch.Tensor.mul", "Scaled", SCALED),
    (TiedNet, TOKENS, "meta_base", "torch.nn.functional.linear", "head (Linear)", ""),
    (Two, TOKENS, "backward", "torch.nn.functional.embedding", "embedding (Embedding)", "x = self.embedding(index)"),
    (
        Two,
        TOKENS,
        "out_of_range",
        "torch.nn.functional.embedding",
        "embedding (Embedding)",
        "x = self.embedding(index)",
    ),
    (hooked, SAMPLES, "backward", "full backward hook", "Sequential", ""),
    (computing(hooking_quietly), SAMPLES, "backward", "torch.Tensor.register_hook", "Computing", "register_hook"),
    (computing(hooking_quietly), SAMPLES, "single", "torch.Tensor.register_hook", "Computing", "register_hook"),
    (computing(Turned.apply), SAMPLES, "backward", "torch.Tensor.clone", "Computing", "return x.clone()"),
    (computing(Turned.apply), SAMPLES, "grad", "torch.Tensor.clone", "Computing", "return x.clone()"),
    (computing(Turned.apply), SAMPLES, "forward_mode", "torch.Tensor.clone", "Computing", "return x.clone()"),
    (computing(lambda y: Turned.apply(y.T)), SAMPLES, "backward", "torch.Tensor.clone", "Computing", "x.clone()"),
    (deeper(2, 1, 1), SAMPLES, "own_minibatch", "torch.nn.functional.linear", "linear (Linear)", "self.linear(x)"),
    (deeper(1, 2, 2), SAMPLES, "own_minibatch", "torch.nn.functional.linear", "linear (Linear)", "self.linear(x)"),
    (writing(replacing, as_buffer=True), SAMPLES, "buffers", None, "Writing", ""),
]


@pytest.mark.parametrize(("model", "inputs", "check", "operation", "module", "line"), KNOWN)
def test_a_wrong_result_names_the_operation_the_module_and_the_line(model, inputs, check, operation, module, line):
    found = asked(loaded(model, inputs), check)

    assert found["status"] == "wrong", found
    assert (found["operation"], found["module"]) == (operation, module), found
    assert line in (found["source"] or "")


def test_an_operation_that_mixes_what_is_not_finite_is_named():
    found = asked(loaded(computing(torch.tanh), SAMPLES), "isolation", Mixing())

    assert found["status"] == "wrong"
    assert found["module"] == "linear (Linear)"


def test_a_model_without_a_difference_has_no_location():
    subject = Subject(loaded(computing(torch.tanh), SAMPLES), TorchFunc(), n=3)

    for check in ("isolation", "forward_mode", "restored"):
        found = difference_location.locate_difference(check, "the shape", subject)
        assert found == FailureLocation(None, None, None)
    assert difference_location.locate_difference("out_of_range", "", subject) == FailureLocation(None, None, None)


def test_a_draw_that_mode_error_should_refuse_is_named():
    subject = Subject(loaded(lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout()), SAMPLES), TorchFunc(), n=3)

    found = difference_location.locate_difference("randomness", "expected an error", subject)

    assert (found.operation, found.module) == ("torch.nn.functional.dropout", "1 (Dropout)")


def test_a_gradient_is_that_of_the_module_that_holds_the_parameter():
    subject = Subject(loaded(computing(torch.tanh), SAMPLES), TorchFunc(), n=3)

    found = difference_location.locate_difference("grad", "member 1: gradient[0]['linear.weight'] differs", subject)

    assert found.module == "linear (Linear)"


def test_a_model_with_large_outputs_is_not_asked_for_its_backward(monkeypatch):
    monkeypatch.setattr(gradient_difference, "LARGEST", 10)

    assert asked(loaded(Two, TOKENS), "backward")["operation"] is None


def test_a_trace_has_a_limit(monkeypatch):
    monkeypatch.setattr(operation_trace, "SECONDS", -1)

    found = asked(loaded(Two, TOKENS), "backward")

    assert found["status"] == "wrong"
    assert "operation" not in found
