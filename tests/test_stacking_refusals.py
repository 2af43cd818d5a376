"""Which members does combine refuse?"""

import copy

import pytest
import torch
from torch import nn

from conformance.cases.data import draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet, TiedNet
from conformance.numerics.assertions import (
    refuses,
    unchanged,
)
from conformance.reference.simple_cnn import small_cnn
from conformance.workloads.stacking import assert_combines


@pytest.mark.requirement("stacking.refuses_no_model")
@pytest.mark.parametrize("sequence", [list, tuple, nn.ModuleList], ids=["list", "tuple", "ModuleList"])
def test_no_model_is_refused(implementation, sequence):
    with refuses("at least one model"):
        implementation.combine(sequence())


class OtherLinear(nn.Linear):
    """An nn.Linear with another forward and the same state."""

    def forward(self, x):
        return -super().forward(x)


@pytest.mark.requirement("stacking.refuses_different_classes")
@pytest.mark.parametrize("odd", [0, 2, MEMBERS - 1], ids=["first", "middle", "last"])
def test_members_of_different_classes_are_refused(implementation, device, odd):
    models = members(lambda: nn.Linear(3, 2), MEMBERS, device=device)
    mixed = [*models]
    mixed[odd] = OtherLinear(3, 2, device=device)

    with refuses("class"), unchanged(*mixed):
        implementation.combine(mixed)

    assert_combines(implementation, models)


@pytest.mark.requirement("stacking.refuses_mixed_modes")
@pytest.mark.parametrize("odd", [0, 2, MEMBERS - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_members_in_different_modes_are_refused(implementation, device, odd, training):
    models = [model.train(training) for model in members(NormNet, MEMBERS, device=device)]
    models[odd].train(not training)

    with refuses("mode"), unchanged(*models):
        implementation.combine(models)

    assert_combines(implementation, [model.eval() for model in models])


@pytest.mark.requirement("stacking.refuses_mixed_requires_grad")
@pytest.mark.parametrize("odd", [0, 2, MEMBERS - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("frozen", [True, False], ids=["one-frozen", "one-not"])
def test_members_that_differ_in_requires_grad_are_refused(implementation, device, odd, frozen):
    models = members(small_cnn, MEMBERS, device=device)
    for i, model in enumerate(models):
        model.fc1.bias.requires_grad_((i == odd) is not frozen)

    with refuses("requires_grad"), unchanged(*models):
        implementation.combine(models)

    assert_combines(implementation, [model.requires_grad_(False) for model in models])


ODD_SHAPES = {"broadcastable": (1, 3), "as-many-elements": (3, 2), "larger": (2, 5), "more-dimensions": (1, 2, 3)}


@pytest.mark.requirement("stacking.refuses_different_shapes")
@pytest.mark.parametrize("shape", ODD_SHAPES)
@pytest.mark.parametrize("odd", [0, 2, MEMBERS - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("what", ["parameter", "buffer"])
def test_members_of_different_shapes_are_refused(implementation, device, shape, odd, what):
    models = members(lambda: nn.Linear(3, 2), MEMBERS, device=device)
    mixed = copy.deepcopy(models)
    for model in mixed:
        model.register_buffer("scale", draw(2, 3, device=device))
    if what == "parameter":
        mixed[odd].weight = nn.Parameter(draw(*ODD_SHAPES[shape], device=device))
    else:
        mixed[odd].scale = draw(*ODD_SHAPES[shape], device=device)

    with refuses("size|shape"), unchanged(*mixed):
        implementation.combine(mixed)

    assert_combines(implementation, models)


@pytest.mark.requirement("stacking.refuses_mixed_devices")
@pytest.mark.parametrize("odd", [0, 2, MEMBERS - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("what", ["module", "buffer"])
def test_members_on_different_devices_are_refused(implementation, device, odd, what):
    models = members(NormNet, MEMBERS, device=device)
    mixed = copy.deepcopy(models)
    # meta is the only other device that every machine has
    if what == "module":
        mixed[odd].to("meta")
    else:
        mixed[odd].norm.running_var = mixed[odd].norm.running_var.to("meta")

    with refuses("device"), unchanged(*mixed):
        implementation.combine(mixed)

    assert_combines(implementation, models)


@pytest.mark.requirement("stacking.refuses_different_configuration")
def test_members_of_different_configuration_are_refused(implementation):
    slopes = [nn.LeakyReLU(slope) for slope in (0.1, 0.1, 0.2)]
    nested = [nn.Sequential(nn.Linear(3, 2), each) for each in slopes]

    with refuses("configuration"):
        implementation.combine(nested)


def named_linear(name):
    return nn.ModuleDict({name: nn.Linear(3, 2)})


@pytest.mark.requirement("stacking.refuses_different_parameter_names")
def test_members_with_other_parameter_names_are_refused(implementation):
    with refuses("parameter"):
        implementation.combine([named_linear("left"), named_linear("left"), named_linear("right")])


@pytest.mark.requirement("stacking.refuses_missing_parameters")
def test_a_later_member_without_a_bias_is_refused(implementation):
    with refuses("bias"):
        implementation.combine([nn.Linear(3, 2), nn.Linear(3, 2), nn.Linear(3, 2, bias=False)])


@pytest.mark.requirement("stacking.refuses_extra_parameters")
def test_a_later_member_with_a_bias_more_is_refused(implementation):
    with refuses("bias"):
        implementation.combine([nn.Linear(3, 2, bias=False), nn.Linear(3, 2, bias=False), nn.Linear(3, 2)])


@pytest.mark.requirement("stacking.refuses_extra_buffers")
def test_a_later_member_with_a_buffer_more_is_refused(implementation):
    models = members(lambda: nn.Linear(3, 2), 3)
    models[2].register_buffer("scale", torch.ones(2))

    with refuses("scale"):
        implementation.combine(models)


@pytest.mark.requirement("stacking.refuses_different_ties")
@pytest.mark.parametrize("odd", [0, 2], ids=["first", "last"])
def test_members_of_which_one_is_not_tied_are_refused(implementation, odd):
    models = members(TiedNet, 3)
    models[odd].head.weight = nn.Parameter(draw(11, 3))

    with refuses("head.weight"):
        implementation.combine(models)


@pytest.mark.requirement("stacking.refuses_nested_modes")
def test_members_whose_submodules_differ_in_mode_are_refused(implementation):
    models = members(NormNet, 3)
    models[2].dropout.eval()

    with refuses("mode"):
        implementation.combine(models)


@pytest.mark.requirement("stacking.refuses_mixed_dtypes")
def test_members_of_different_dtypes_are_refused(implementation):
    models = members(lambda: nn.Linear(3, 2), 3)
    models[2].double()

    with refuses("dtype"):
        implementation.combine(models)
