"""Does each suggested fix fit its failure, and does it work?"""

import copy

import pytest
import torch
from remedied_modules import ELSEWHERE, SEQUENCES, TRIED, encoder
from torch import nn

from conformance.cases.inputs import floats, integers
from conformance.checks.model_checks import CHECKS
from conformance.checks.outcome import run_check
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check.remedies import load_remedies
from conformance.model_check.worker import module_features
from conformance.testing import Model

SAMPLES = floats(7, 3)


TOKENS = integers(11, 7)


class Computing(nn.Module):
    """A linear layer, and what a function makes of its output."""

    def __init__(self, compute):
        super().__init__()
        self.linear = nn.Linear(3, 5)
        self.compute = compute

    def forward(self, x):
        return self.compute(self.linear(x))


def computing(compute):
    return lambda: Computing(compute)


def layers(*makes):
    return lambda: nn.Sequential(*[make() for make in makes])


def written(y):
    out = torch.zeros(7, 5, dtype=y.dtype)
    return out.add_(y)


def hooked():
    model = nn.Linear(3, 2)
    model.register_full_backward_hook(lambda module, into, out: (2 * into[0],))
    return nn.Sequential(nn.Tanh(), model)


class Doubled(torch.autograd.Function):
    """A function whose gradient is doubled, as the hook does it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Old(torch.autograd.Function):
    """A function of its own, as it was written before torch.func."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Cell(nn.Module):
    """A recurrent layer, written out."""

    def __init__(self):
        super().__init__()
        self.read, self.keep = nn.Linear(4, 3), nn.Linear(3, 3)

    def forward(self, x):
        state = torch.zeros_like(self.read(x[:, 0]))
        for step in range(x.shape[1]):
            state = (self.read(x[:, step]) + self.keep(state)).tanh()
        return state


class Written(nn.PReLU):
    """PReLU, written out."""

    def forward(self, x):
        return torch.where(x > 0, x, self.weight * x)


def parametrized():
    return nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))


BASE = parametrized()


def from_one():
    model = copy.deepcopy(BASE)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.2, 1)
    return model


class FixedDtype(nn.Module):
    """It makes a tensor of torch's default dtype."""

    def __init__(self, like):
        super().__init__()
        self.linear, self.like = nn.Linear(3, 2), like

    def forward(self, x):
        return self.linear(x) @ (torch.ones(2, 2, dtype=x.dtype) if self.like else torch.ones(2, 2))


class Clamped(nn.Embedding):
    """Each index is one of its own."""

    def forward(self, index):
        return super().forward(index.clamp(0, self.num_embeddings - 1))


@pytest.mark.parametrize(
    ("name", "check", "bad", "inputs", "good"), TRIED, ids=[f"{row[0]}-{i}" for i, row in enumerate(TRIED)]
)
def test_a_remedy_fits_and_leads_out(name, check, bad, inputs, good):
    remedy = next(row for row in load_remedies() if row.name == name)

    found = judged(bad, inputs, check)
    after = judged(bad, inputs, good) if good in CHECKS else judged(good, inputs, check)

    assert remedy.fits(check, found.status.value, found.message, module_features(bad()))
    assert after.status.value in {"right", "not applicable"}, after.message
    assert after.status is not found.status or found.status.value == "right"


def judged(factory, inputs, check):
    return run_check(CHECKS[check], Model(factory, [inputs]), TorchFunc(), "cpu")


def test_attention_can_be_told_to_take_no_fast_path():
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        found = judged(lambda: encoder(0).eval(), SEQUENCES, "backward")
    finally:
        torch.backends.mha.set_fastpath_enabled(before)

    assert found.status.value == "right"


def test_every_remedy_is_tried():
    assert {row.name for row in load_remedies()} == {row[0] for row in TRIED} | ELSEWHERE


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_the_rest_fits_what_the_command_says(name):
    remedy = next(row for row in load_remedies() if row.name == name)
    check, status, message = SAID[name]

    assert remedy.fits(check, status, message, ["Linear"])
    assert not remedy.fits(check, "right", "", ["Linear"])


SAID = {
    "same-module": ("members", "wrong", "the factory returns the same module each time, so that all share one state"),
    "same-numbers": ("members", "wrong", "all members hold the same numbers, so that their outputs are equal"),
    "allocator": ("speed_forward", "slower with large activations", ""),
}
