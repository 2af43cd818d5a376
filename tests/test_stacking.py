"""What does combining members give, and which members does it refuse?"""

import copy

import pytest
import torch
from torch import nn

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import Assorted, NormNet, TiedNet
from conformance.implementations.ensemble import by_name
from conformance.numerics.assertions import (
    assert_distinct,
    assert_members_close,
    assert_same,
    assert_slices,
    refuses,
    unchanged,
)
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn
from conformance.utils.module_state import state_of


def forward(model, x):
    return model(x)


def stacked_state(implementation, models):
    """Parameters and buffers by name, and nothing lost on the way."""
    _, params, buffers = implementation.combine(models)
    first = models[0]
    return by_name(params, list(first.named_parameters())), by_name(buffers, list(first.named_buffers()))


@pytest.mark.requirement("stacking.order")
@pytest.mark.parametrize("factory", [small_cnn, NormNet, TiedNet, Assorted], ids=lambda factory: factory.__name__)
def test_slice_i_is_member_i(implementation, device, factory):
    models = members(factory, MEMBERS, device=device)

    params, buffers = stacked_state(implementation, models)

    assert_slices(params, [dict(model.named_parameters()) for model in models])
    assert_slices(buffers, [dict(model.named_buffers()) for model in models])


@pytest.mark.requirement("stacking.names")
@pytest.mark.parametrize("factory", [small_cnn, NormNet, TiedNet, Assorted], ids=lambda factory: factory.__name__)
def test_names_are_those_of_the_module_in_its_order(implementation, device, factory):
    models = members(factory, MEMBERS, device=device)

    _, params, buffers = implementation.combine(models)

    assert list(params) == [name for name, _ in models[0].named_parameters()]
    assert list(buffers) == [name for name, _ in models[0].named_buffers()]


@pytest.mark.requirement("stacking.tuples")
@pytest.mark.parametrize("factory", [small_cnn, NormNet, TiedNet, Assorted], ids=lambda factory: factory.__name__)
def test_tuples_are_in_the_order_of_the_module(implementation, device, factory):
    models = members(factory, MEMBERS, device=device)

    _, params, buffers = implementation.combine(models)

    assert type(params) is type(buffers) is tuple
    assert_slices(dict(enumerate(params)), [dict(enumerate(model.parameters())) for model in models])
    assert_slices(dict(enumerate(buffers)), [dict(enumerate(model.buffers())) for model in models])


@pytest.mark.requirement("stacking.leading_dimension")
@pytest.mark.parametrize("n", [1, 2, MEMBERS], ids=["one", "two", "five"])
def test_every_stacked_tensor_has_the_members_in_front(implementation, device, n):
    models = members(Assorted, n, device=device)

    params, buffers = stacked_state(implementation, models)

    shapes = {name: (n, *tensor.shape) for name, tensor in state_of(models[0]).items()}
    assert (n,) in shapes.values()
    assert (n, 0, 3) in shapes.values()
    assert {name: tuple(tensor.shape) for name, tensor in (params | buffers).items()} == shapes


GRAD_MODES = pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.no_grad], ids=["grad", "no_grad"])


@GRAD_MODES
@pytest.mark.requirement("stacking.trainable")
@pytest.mark.parametrize("n", [1, MEMBERS], ids=["one", "five"])
def test_stacked_parameters_are_leaves_that_require_grad(implementation, device, grad_mode, n):
    models = members(small_cnn, n, device=device)

    with grad_mode():
        params, _ = stacked_state(implementation, models)

    facts = {name: (tensor.requires_grad, tensor.is_leaf, tensor.grad) for name, tensor in params.items()}
    assert facts == {name: (True, True, None) for name, _ in models[0].named_parameters()}


@GRAD_MODES
@pytest.mark.requirement("stacking.detached")
def test_the_legacy_state_is_detached(implementation, device, grad_mode):
    models = members(NormNet, MEMBERS, device=device)

    with grad_mode():
        params, buffers = stacked_state(implementation, models)

    facts = {name: (tensor.requires_grad, tensor.is_leaf) for name, tensor in (params | buffers).items()}
    assert facts == dict.fromkeys(state_of(models[0]), (False, True))
    assert all(tensor.requires_grad_().requires_grad for tensor in params.values())


@GRAD_MODES
@pytest.mark.requirement("stacking.buffers")
def test_stacked_buffers_are_leaves_that_do_not_require_grad(implementation, device, grad_mode):
    models = members(Assorted, MEMBERS, device=device)

    with grad_mode():
        _, buffers = stacked_state(implementation, models)

    facts = {name: (tensor.requires_grad, tensor.is_leaf) for name, tensor in buffers.items()}
    assert facts == {name: (False, True) for name, _ in models[0].named_buffers()}


@GRAD_MODES
@pytest.mark.requirement("stacking.frozen")
@pytest.mark.parametrize("n", [1, MEMBERS], ids=["one", "five"])
def test_frozen_parameters_stay_frozen(implementation, device, grad_mode, n):
    models = members(small_cnn, n, device=device)
    for model in models:
        model.conv1.weight.requires_grad_(False)
        model.fc2.bias.requires_grad_(False)

    with grad_mode():
        params, _ = stacked_state(implementation, models)

    assert not params["conv1.weight"].requires_grad
    assert not params["fc2.bias"].requires_grad


@pytest.mark.requirement("stacking.dtype")
def test_every_stacked_tensor_keeps_its_dtype(implementation, device):
    models = members(Assorted, MEMBERS, device=device)

    params, buffers = stacked_state(implementation, models)

    dtypes = {name: tensor.dtype for name, tensor in state_of(models[0]).items()}
    assert {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64} < set(dtypes.values())
    assert {name: tensor.dtype for name, tensor in (params | buffers).items()} == dtypes


@pytest.mark.requirement("stacking.device")
@pytest.mark.parametrize("where", ["device", "meta"])
def test_every_stacked_tensor_is_on_its_members_device(implementation, device, where):
    models = members(Assorted, MEMBERS, device=device)
    models = [model.to("meta") for model in models] if where == "meta" else models

    params, buffers = stacked_state(implementation, models)

    devices = {name: tensor.device for name, tensor in state_of(models[0]).items()}
    assert {each.type for each in devices.values()} == {"meta" if where == "meta" else device.type}
    assert {name: tensor.device for name, tensor in (params | buffers).items()} == devices


@pytest.mark.requirement("stacking.integer_buffers")
def test_integer_and_boolean_buffers_keep_dtype_and_exact_values(implementation, device):
    models = members(Assorted, MEMBERS, device=device)
    for i, model in enumerate(models):
        model.count.fill_(2**62 + 1 + i)  # a double could not tell these apart

    _, buffers = stacked_state(implementation, models)

    names = ["count", "codes", "mask"]
    assert {buffers[name].dtype for name in names} == {torch.int64, torch.uint8, torch.bool}
    assert_slices({name: buffers[name] for name in names}, [{n: getattr(m, n) for n in names} for m in models])


@pytest.mark.requirement("stacking.non_persistent_buffers")
def test_buffers_outside_the_state_dict_are_stacked(implementation, device):
    models = members(Assorted, MEMBERS, device=device)
    assert "scratch" not in models[0].state_dict()

    _, buffers = stacked_state(implementation, models)

    assert "scratch" in buffers
    assert_slices({"scratch": buffers["scratch"]}, [{"scratch": model.scratch} for model in models])


@pytest.mark.requirement("stacking.no_alias")
@pytest.mark.parametrize("n", [1, MEMBERS], ids=["one", "five"])
def test_a_write_to_a_slice_reaches_nothing_else(implementation, device, n):
    models = members(Assorted, n, device=device)
    params, buffers = stacked_state(implementation, models)
    stacked = params | buffers
    before = {name: tensor.detach().clone() for name, tensor in stacked.items()}

    with unchanged(*models), torch.no_grad():
        for tensor in stacked.values():
            tensor[0] = ~tensor[0] if tensor.dtype == torch.bool else tensor[0] + 1

    for name, tensor in stacked.items():
        assert_same(tensor[1:], before[name][1:], name)
        assert not tensor.numel() or not torch.equal(tensor[0], before[name][0])


@pytest.mark.requirement("stacking.no_alias")
@pytest.mark.parametrize("n", [1, MEMBERS], ids=["one", "five"])
def test_a_write_to_a_member_does_not_reach_the_stack(implementation, device, n):
    models = members(Assorted, n, device=device)
    params, buffers = stacked_state(implementation, models)
    before = {name: tensor.detach().clone() for name, tensor in (params | buffers).items()}

    with torch.no_grad():
        for tensor in state_of(models[0]).values():
            tensor.logical_not_() if tensor.dtype == torch.bool else tensor.add_(1)

    assert_same(params | buffers, before, "stacked")


@pytest.mark.requirement("stacking.originals_unchanged")
@GRAD_MODES
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_combining_changes_nothing_in_the_members(implementation, device, grad_mode, training):
    models = [model.train(training) for model in members(Assorted, MEMBERS, device=device)]
    models[1].blocks.requires_grad_(True)
    for model in models:
        model.scalar.grad = torch.ones_like(model.scalar)

    with unchanged(*models), grad_mode():
        implementation.combine(models)


@pytest.mark.requirement("stacking.originals_get_no_gradient")
def test_a_backward_pass_gives_the_stack_its_gradient_and_the_members_none(implementation, device):
    models = members(small_cnn, MEMBERS, device=device)
    fmodel, params, buffers = implementation.combine(models)
    for tensor in by_name(params, list(models[0].named_parameters())).values():
        tensor.requires_grad_()

    with unchanged(*models):
        out = implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, draw(SAMPLES, 1, 8, 8, device=device))
        out.square().sum().backward()

    assert all(parameter.grad is None for model in models for parameter in model.parameters())
    for name, tensor in by_name(params, list(models[0].named_parameters())).items():
        assert tensor.grad is not None, f"{name} has no gradient"
        assert all(tensor.grad[i].any() for i in range(MEMBERS)), f"{name}: a member has no gradient"


@pytest.mark.requirement("stacking.sequences")
@pytest.mark.parametrize("sequence", [list, tuple, nn.ModuleList], ids=["list", "tuple", "ModuleList"])
def test_any_sequence_of_members_is_accepted(implementation, device, sequence):
    models = members(NormNet, MEMBERS, device=device)

    params, buffers = stacked_state(implementation, sequence(models))

    assert_slices(params | buffers, [state_of(model) for model in models])


@pytest.mark.requirement("stacking.round_trip")
@pytest.mark.parametrize("factory", [small_cnn, NormNet], ids=lambda factory: factory.__name__)
def test_unstacked_state_makes_the_member_again(implementation, device, dtype, factory):
    models = [model.eval() for model in members(factory, MEMBERS, seed=1, device=device, dtype=dtype)]
    fresh = [model.eval() for model in members(factory, MEMBERS, seed=2, device=device, dtype=dtype)]
    x = draw(SAMPLES, *((1, 8, 8) if factory is small_cnn else (3,)), device=device, dtype=dtype)
    params, buffers = stacked_state(implementation, models)

    for i, model in enumerate(fresh):
        assert_distinct(model(x), models[i](x))
        model.load_state_dict({name: tensor[i] for name, tensor in (params | buffers).items()}, strict=True)

    for i, model in enumerate(fresh):
        assert_same(model.state_dict(), models[i].state_dict(), f"state of member {i}")
        assert_same(model(x), models[i](x), f"output of member {i}")


@pytest.mark.requirement("stacking.tied")
def test_tied_weights_are_stacked_once_and_used_everywhere(implementation, device, dtype):
    models = members(TiedNet, MEMBERS, device=device, dtype=dtype)
    given = draw_tokens(MEMBERS, SAMPLES, device=device)
    fmodel, params, buffers = implementation.combine(models)

    out = implementation.vmap(fmodel)(params, buffers, given)

    assert len(params) == len(list(models[0].parameters())) == 3
    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, list(given)))


def on_meta_base(implementation, models, given, **options):
    """The tutorial's way: a base module without storage, filled with each member's slice."""
    base = copy.deepcopy(models[0]).to("meta")
    _, params, buffers = implementation.combine(models)

    def fmodel(params, buffers, x):
        return implementation.functional_call(base, (params, buffers), (x,), **options)

    with torch.no_grad():
        return implementation.vmap(fmodel)(params, buffers, given)


# `.to("meta")` unties, functional_call fills one of the two names, and a product of a CPU tensor with a meta tensor
# returns memory that nobody has written. The seeds are this test's own: in memory that another test has freed, the
# right numbers could still stand.
@pytest.mark.requirement("stacking.tied_meta_base")
def test_tied_weights_on_the_meta_base_of_the_tutorial(implementation, device):
    models = members(TiedNet, MEMBERS, seed=1801, device=device)
    given = draw_tokens(MEMBERS, 19, seed=1801, device=device)

    right_or_refused(lambda: on_meta_base(implementation, models, given), models, given)


@pytest.mark.requirement("stacking.tied_meta_base_strict")
def test_strict_notices_weights_that_came_apart(implementation, device):
    models = members(TiedNet, MEMBERS, seed=1802, device=device)
    given = draw_tokens(MEMBERS, 19, seed=1802, device=device)

    right_or_refused(lambda: on_meta_base(implementation, models, given, strict=True), models, given)


def right_or_refused(call, models, given):
    try:
        out = call()
    except (RuntimeError, ValueError) as error:
        refusal = str(error)
    else:
        assert_members_close(out, loop(forward, models, list(given)))
        return
    assert "head.weight" in refusal or "embedding.weight" in refusal


def accepts(implementation, models):
    """The next good call works, whatever was refused before it."""
    params, buffers = stacked_state(implementation, models)
    assert_slices(params | buffers, [state_of(model) for model in models])


@pytest.mark.requirement("stacking.refuses_no_model")
@pytest.mark.parametrize("sequence", [list, tuple, nn.ModuleList], ids=["list", "tuple", "ModuleList"])
def test_no_model_is_refused(implementation, sequence):
    with refuses("at least one model"):
        implementation.combine(sequence())


class OtherLinear(nn.Linear):
    """The same state as nn.Linear and another forward."""

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

    accepts(implementation, models)


@pytest.mark.requirement("stacking.refuses_mixed_modes")
@pytest.mark.parametrize("odd", [0, 2, MEMBERS - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_members_in_different_modes_are_refused(implementation, device, odd, training):
    models = [model.train(training) for model in members(NormNet, MEMBERS, device=device)]
    models[odd].train(not training)

    with refuses("mode"), unchanged(*models):
        implementation.combine(models)

    accepts(implementation, [model.eval() for model in models])


@pytest.mark.requirement("stacking.refuses_mixed_requires_grad")
@pytest.mark.parametrize("odd", [0, 2, MEMBERS - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("frozen", [True, False], ids=["one-frozen", "one-not"])
def test_members_that_differ_in_requires_grad_are_refused(implementation, device, odd, frozen):
    models = members(small_cnn, MEMBERS, device=device)
    for i, model in enumerate(models):
        model.fc1.bias.requires_grad_((i == odd) is not frozen)

    with refuses("requires_grad"), unchanged(*models):
        implementation.combine(models)

    accepts(implementation, [model.requires_grad_(False) for model in models])


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

    accepts(implementation, models)


@pytest.mark.requirement("stacking.refuses_mixed_devices")
@pytest.mark.parametrize("odd", [0, 2, MEMBERS - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("what", ["module", "buffer"])
def test_members_on_different_devices_are_refused(implementation, device, odd, what):
    models = members(NormNet, MEMBERS, device=device)
    mixed = copy.deepcopy(models)
    # meta is the one other device that every machine has
    if what == "module":
        mixed[odd].to("meta")
    else:
        mixed[odd].norm.running_var = mixed[odd].norm.running_var.to("meta")

    with refuses("device"), unchanged(*mixed):
        implementation.combine(mixed)

    accepts(implementation, models)


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
