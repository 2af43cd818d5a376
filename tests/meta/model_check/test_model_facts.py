"""Which facts about a model are known, that a suggested fix depends on?"""

import pytest
import torch
from remedied_modules import encoder, old_weight_norm, spectral
from remedied_state import Scaled, as_number, as_tensor, averaging, in_buffer, writing
from torch import nn

from conformance.cases.networks import TiedNet
from conformance.model_check.model_facts import FEATURES, member_features, module_features


def hooked():
    model = nn.Linear(3, 2)
    model.register_full_backward_hook(lambda module, into, out: None)
    return model


@pytest.mark.parametrize(
    ("make", "features"),
    [
        (lambda: nn.Linear(3, 2), set()),
        (hooked, {"full backward hook"}),
        (lambda: encoder(0), {"attention"}),
        (lambda: nn.BatchNorm1d(3, momentum=None), {"momentum=None"}),
        (lambda: nn.BatchNorm1d(3), set()),
        (lambda: nn.Embedding(11, 3, padding_idx=0), {"padding_idx"}),
        (lambda: nn.Embedding(11, 3, sparse=True), {"sparse=True"}),
        (lambda: nn.Embedding(11, 3), set()),
        (writing(averaging, as_buffer=False), {"plain tensor"}),
        (writing(averaging, as_buffer=True), set()),
        (spectral, {"spectral_norm"}),
        (old_weight_norm, {"weight_norm (old)", "plain tensor"}),
        (TiedNet, {"tied tensors"}),
    ],
)
def test_a_feature_is_known_by_what_is_set(make, features):
    found = set(module_features(make()))

    assert found & {*FEATURES, "tied tensors"} == features


def with_attribute(value):
    model = nn.Linear(3, 2)
    model.extra = value
    return model


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        (with_attribute(1), with_attribute(1), False),
        (with_attribute(1), with_attribute(2), True),
        (with_attribute(1), with_attribute(1.0), True),
        (with_attribute(torch.ones(2)), with_attribute(torch.ones(2)), False),
        (with_attribute(torch.ones(2)), with_attribute(torch.ones(3)), True),
        (with_attribute(torch.ones(2)), nn.Linear(3, 2), True),
        (with_attribute(torch.ones(2, device="meta")), with_attribute(torch.ones(2, device="meta")), False),
        (Scaled(as_number), Scaled(as_number), True),
        (Scaled(as_tensor), Scaled(as_tensor), True),
        (Scaled(in_buffer), Scaled(in_buffer), False),
    ],
)
def test_members_with_other_plain_attributes_are_known(one, other, differ):
    assert member_features([one, other]) == ["attributes differ"] * differ
