"""What makes two modules differ, and what does not?"""

import copy
import functools
import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.members import members
from conformance.cases.networks import NormNet, TiedNet
from conformance.reference.compatibility import difference


class Options:
    """Configuration in an object without an equality of its own."""

    def __init__(self, width, kind=F.relu):
        self.width = width
        self.kind = kind


class Configured(nn.Module):
    """One attribute of configuration, of any type."""

    def __init__(self, value):
        super().__init__()
        self.value = value
        self.fc = nn.Linear(2, 3)


def scaled(by):
    return lambda x: x * by


EQUAL = [
    (1, 1),
    ("a", "a"),
    (torch.ones(2), torch.ones(2)),
    ([1, (2, {"a": 3})], [1, (2, {"a": 3})]),
    (Options(3), Options(3)),
    (F.relu, F.relu),
    (scaled(2), scaled(2)),
    (nn.ReLU, nn.ReLU),
    ([nn.Linear(2, 3)], [nn.Linear(2, 3)]),
    (torch.float32, torch.float32),
]
DIFFERENT = [
    (1, 2),
    (1, 1.0),
    (torch.ones(2), torch.zeros(2)),
    (torch.ones(2), torch.ones(3)),
    ([1, (2, {"a": 3})], [1, (2, {"a": 4})]),
    ([1], [1, 2]),
    ({"a": 1}, {"b": 1}),
    (Options(3), Options(4)),
    (Options(3), Options(3, F.gelu)),
    (F.relu, F.relu6),
    (scaled(2), scaled(3)),
    (nn.ReLU, nn.GELU),
    ([nn.LeakyReLU(0.1)], [nn.LeakyReLU(0.2)]),
    (torch.float32, torch.float64),
]


def named(pairs):
    return [pytest.param(*pair, id=str(i)) for i, pair in enumerate(pairs)]


@pytest.mark.parametrize(("ours", "theirs"), named(EQUAL))
def test_equal_configuration_is_alike(ours, theirs):
    assert difference([Configured(ours), Configured(theirs)]) is None


@pytest.mark.parametrize(("ours", "theirs"), named(DIFFERENT))
def test_different_configuration_is_not(ours, theirs):
    assert "member 1 has configuration: value" in difference([Configured(ours), Configured(theirs)])


def changed(change):
    models = members(NormNet, 3, seed=0)
    change(models[2])
    return difference(models)


CHANGES = {
    "class": (lambda m: setattr(m, "fc2", nn.Bilinear(11, 11, 2)), "class of 'fc2'|parameter 'fc2.weight', shape"),
    "mode": (lambda m: m.eval(), "training/eval mode False"),
    "nested-mode": (lambda m: m.dropout.eval(), "mode of 'dropout' False and member 0 has True"),
    "configuration": (lambda m: setattr(m.dropout, "p", 0.1), "configuration of 'dropout': p 0.1"),
    "dtype": (lambda m: m.fc1.double(), "parameter 'fc1.weight', dtype torch.float64"),
    "device": (lambda m: m.fc1.to("meta"), "parameter 'fc1.weight', device"),
    "requires_grad": (lambda m: m.fc1.bias.requires_grad_(False), "'fc1.bias', requires_grad False"),
    "shape": (lambda m: setattr(m, "fc1", nn.Linear(3, 12)), r"'fc1.weight', shape \(12, 3\)"),
    "extra-buffer": (lambda m: m.register_buffer("more", torch.ones(1)), "buffer 'more', shape and member 0 has not"),
    "missing": (lambda m: setattr(m, "fc1", nn.Linear(3, 11, bias=False)), "no parameter 'fc1.bias', device and"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_difference_names_member_and_what_differs(change):

    apply, message = CHANGES[change]

    found = changed(apply)

    assert found.startswith("member 2 has")
    assert re.search(message, found), found


class Circular(nn.Module):
    """Holds a function that holds the module."""

    def __init__(self):
        super().__init__()
        self.scale = 2
        self.func = lambda x: x * self.scale


def test_values_are_no_difference():
    assert difference([Circular(), Circular()]) is None
    assert difference(members(NormNet, 3, seed=0)) is None
    assert difference(members(TiedNet, 3, seed=0)) is None
    assert difference([Configured(functools.partial(F.relu))] * 2) is None
    assert difference(copy.deepcopy(members(NormNet, 2, seed=0))) is None
