"""Do hooks and normalizations of members work in the ensemble as in the loop?"""

from functools import partial

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from conformance.cases.data import OWN_AND_SHARED, SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import LayerNormMLP
from conformance.cases.side_effects import LinearThenBody, make_minibatches, output_and_gradients, sum_of_squares
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.workloads.forward import forward
from conformance.workloads.supervised import ensemble_gradients


def gradients(model, x):
    return output_and_gradients(model, x)["gradients"]


FORWARD_HOOKS = {
    "after": lambda module: module.register_forward_hook(lambda module, args, out: out.tanh() * 3),
    "before": lambda module: module.register_forward_pre_hook(lambda module, args: (args[0].cos() + args[0],)),
    "after_with_kwargs": lambda module: module.register_forward_hook(
        lambda module, args, kwargs, out: out + args[0].mean(), with_kwargs=True
    ),
    "before_with_kwargs": lambda module: module.register_forward_pre_hook(
        lambda module, args, kwargs: ((args[0] * 2,), kwargs), with_kwargs=True
    ),
}
places = pytest.mark.parametrize("place", ["", "norm"], ids=["whole", "part"])


@pytest.mark.requirement("purity.forward_hooks")
@pytest.mark.parametrize("register", FORWARD_HOOKS.values(), ids=FORWARD_HOOKS)
@places
def test_forward_hooks_of_members_change_what_they_see_as_in_the_loop(implementation, device, register, place):
    models = members(LayerNormMLP, MEMBERS, device=device)
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    plain = loop(forward, models, list(x))
    for model in models:
        register(model.get_submodule(place))
    expected = loop(forward, models, list(x))

    out = Ensemble(implementation, models)(x)

    assert_distinct(plain.values[0], expected.values[0])
    assert_members_close(out, expected)


@pytest.mark.requirement("purity.hooks_run_once")
@places
def test_a_hook_runs_once_and_sees_one_members_shape(implementation, device, place):
    seen = []
    models = members(LayerNormMLP, MEMBERS, device=device)
    for model in models:
        module = model.get_submodule(place)
        module.register_forward_pre_hook(lambda module, args: seen.append(("before", args[0].shape)))
        module.register_forward_hook(lambda module, args, out: seen.append(("after", out.shape)))
    ensemble, x = Ensemble(implementation, models), draw(MEMBERS, SAMPLES, 3, device=device)

    out = ensemble(x)

    given, returned = {"": (3, 2), "norm": (11, 11)}[place]
    assert_distinct(*out)
    assert seen == [("before", (SAMPLES, given)), ("after", (SAMPLES, returned))]


@pytest.mark.requirement("purity.hooks_run_once")
def test_a_hook_of_all_modules_runs_once_for_each(implementation, device):
    seen = []
    ensemble = Ensemble(implementation, members(LayerNormMLP, MEMBERS, device=device))
    x = draw(MEMBERS, SAMPLES, 3, device=device)

    handle = register_module_forward_hook(lambda module, args, out: seen.append((type(module).__name__, out.shape)))
    try:
        ensemble(x)
    finally:
        handle.remove()

    whole = [name for name, _ in seen if name not in ("Linear", "LayerNorm")]
    assert [name for name, _ in seen[:3]] == ["Linear", "LayerNorm", "Linear"]
    assert [shape for _, shape in seen[:3]] == [(SAMPLES, 11), (SAMPLES, 11), (SAMPLES, 2)]
    assert "LayerNormMLP" in whole
    assert len(whole) == len(seen) - 3


@pytest.mark.requirement("purity.hooks_of_the_first_member")
@pytest.mark.parametrize("hooked", range(MEMBERS))
def test_the_hooks_of_the_first_member_count_for_all(implementation, device, hooked):
    models = members(LayerNormMLP, MEMBERS, device=device)
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    expected = loop(lambda model, row: model(row) * (3 if hooked == 0 else 1), models, list(x))
    models[hooked].register_forward_hook(lambda module, args, out: out * 3)

    out = Ensemble(implementation, models)(x)

    assert_members_close(out, expected)


BACKWARD_HOOKS = {
    "after": lambda module: module.register_full_backward_hook(lambda module, given, got: (given[0] * 3,)),
    "before": lambda module: module.register_full_backward_pre_hook(lambda module, got: (got[0] / got[0].norm(),)),
}
backward_hooks = pytest.mark.parametrize("register", BACKWARD_HOOKS.values(), ids=BACKWARD_HOOKS)


@pytest.mark.requirement("purity.backward_hooks")
@backward_hooks
def test_backward_hooks_of_members_change_gradients_as_in_the_loop(implementation, device, register):
    models = members(LayerNormMLP, MEMBERS, device=device)
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    for model in models:
        register(model.norm)
    expected = loop(gradients, models, list(x))
    ensemble = Ensemble(implementation, models)

    ensemble.map(lambda *args: sum_of_squares(ensemble.member(*args)), x).sum().backward()

    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


@pytest.mark.requirement("purity.backward_hooks_under_grad")
@backward_hooks
def test_backward_hooks_of_members_are_refused_under_grad(implementation, device, register):
    models = members(LayerNormMLP, MEMBERS, device=device)
    for model in models:
        register(model.norm)
    ensemble = Ensemble(implementation, models)
    x = draw(MEMBERS, SAMPLES, 3, device=device)

    with unchanged(*models), refuses("setup_context"):
        ensemble.map(torch.func.grad(lambda *args: sum_of_squares(ensemble.member(*args))), x)


def hooked(h, _):
    h = h * 1
    h.register_hook(lambda gradient: gradient / gradient.norm())
    return torch.tanh(h)


@pytest.mark.requirement("purity.tensor_hooks")
@pytest.mark.parametrize("ask", [hooked, lambda h, _: h.retain_grad() or h], ids=["register_hook", "retain_grad"])
def test_a_hook_on_a_mapped_tensor_is_refused(implementation, device, ask):
    ensemble = Ensemble(implementation, members(partial(LinearThenBody, ask), MEMBERS, device=device))

    with refuses("hook|retain_grad"):
        ensemble(draw(MEMBERS, SAMPLES, 3, device=device))


@pytest.mark.requirement("purity.tensor_hooks_under_grad")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_hook_on_a_tensor_under_grad_is_each_members(implementation, device, data):
    models = members(partial(LinearThenBody, hooked), MEMBERS, device=device, dtype=torch.float64)
    x, inputs = make_minibatches(data, device)
    expected = loop(gradients, models, inputs)
    ensemble = Ensemble(implementation, models)

    found = ensemble.map(torch.func.grad(lambda *args: sum_of_squares(ensemble.member(*args))), x, data=data)

    assert_distinct(*found["fc.weight"])
    assert_members_close(found, expected, "gradient")


@pytest.mark.requirement("purity.hooks_on_the_stack")
def test_a_hook_on_the_stack_sees_and_changes_the_gradients_of_all_members(implementation, device):
    models = members(LayerNormMLP, MEMBERS, device=device, dtype=torch.float64)
    x = draw(MEMBERS, SAMPLES, 3, device=device, dtype=torch.float64)
    factors = torch.arange(1.0, MEMBERS + 1, device=device, dtype=torch.float64)
    expected = loop(scaled_gradients, models, list(zip(x, factors, strict=True)))
    ensemble, seen = Ensemble(implementation, models), []

    def scale(gradient):
        seen.append(gradient.shape)
        return gradient * factors[:, None, None]

    ensemble.params["fc1.weight"].register_hook(scale)
    ensemble.map(lambda *args: sum_of_squares(ensemble.member(*args)), x).sum().backward()

    assert seen == [(MEMBERS, 11, 3)]
    assert_members_close(ensemble_gradients(ensemble), expected, "gradient")


def scaled_gradients(model, given):
    x, factor = given
    model.fc1.weight.register_hook(lambda gradient: gradient * factor)
    return gradients(model, x)
