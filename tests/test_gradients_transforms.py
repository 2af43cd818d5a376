"""Does each transform of torch.func inside vmap give what it gives each member alone?"""

import pytest
import torch

from conformance.cases import training_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.utils.pytree import leaves, tree_map
from conformance.workloads.derivatives import DERIVATIVES, as_function
from conformance.workloads.supervised import SupervisedTask, loss

each_pure_case = pytest.mark.parametrize("case", training_cases.PURE, ids=str)


def differentiable(call, params, x):
    """Return the function to differentiate and its arguments: the parameters, and an input of floats."""
    at = {name: parameter.detach() for name, parameter in params.items()}
    if not x.is_floating_point():
        return lambda at: call(at, x), at
    return lambda at: call({name: at[name] for name in params}, at["input"]), {**at, "input": x.detach()}


def of_module(derivative):
    """Return the derivative as a function of a module and its data, for the loop."""

    def of_one(model, given):
        return derivative(
            *differentiable(as_function(model), dict(model.named_parameters()), given["x"]), given["target"]
        )

    return of_one


@pytest.mark.requirement("gradients.plain_transforms")
@each_pure_case
@pytest.mark.parametrize("name", DERIVATIVES)
def test_the_transforms_of_a_plain_module_are_what_backward_gives(implementation, device, case, name):
    lesson = SupervisedTask(case, 0, device)
    models, given = lesson.models[:3], lesson.member_data[:3]
    expected = loop(of_module(DERIVATIVES[name].backward), models, given)

    each = [of_module(DERIVATIVES[name].func)(*pair) for pair in zip(models, given, strict=True)]

    assert_members_close(tree_map(lambda *leaf: torch.stack(leaf), *each), expected, "result")


@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("grad", marks=pytest.mark.requirement("gradients.grad")),
        pytest.param("grad_and_value", marks=pytest.mark.requirement("gradients.grad_and_value")),
        pytest.param("vjp", marks=pytest.mark.requirement("gradients.vjp")),
        pytest.param("jvp", marks=pytest.mark.requirement("gradients.jvp")),
        pytest.param("jacrev", marks=pytest.mark.requirement("gradients.jacrev")),
        pytest.param("jacfwd", marks=pytest.mark.requirement("gradients.jacfwd")),
        pytest.param("hessian", marks=pytest.mark.requirement("gradients.hessian")),
        pytest.param("forward_over_reverse", marks=pytest.mark.requirement("gradients.forward_over_reverse")),
        pytest.param("reverse_over_forward", marks=pytest.mark.requirement("gradients.reverse_over_forward")),
    ],
)
def test_a_transform_inside_vmap_gives_each_member_its_own(implementation, device, case, data, name):
    transform = DERIVATIVES[name].func
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(of_module(transform))
    ensemble = Ensemble(implementation, lesson.models)

    def of_member(params, buffers, x, target):
        return transform(*differentiable(lambda p, x: ensemble.member(p, buffers, x), params, x), target)

    actual = ensemble.map(of_member, lesson.x, lesson.target, data=data)

    assert_distinct(*max((leaf for _, leaf in leaves(actual, "")), key=torch.Tensor.numel))
    assert_members_close(actual, expected, "result")


@pytest.mark.requirement("gradients.per_sample")
@each_pure_case
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_per_sample_gradients(implementation, device, case, data):
    lesson = SupervisedTask(case, data, device)
    expected = lesson.loop(gradients_sample_by_sample)
    ensemble = Ensemble(implementation, lesson.models)

    def loss_of_sample(params, buffers, x, target):
        return loss(ensemble.member(params, buffers, x[None]), target[None])

    per_sample = ensemble.vmap(torch.func.grad(loss_of_sample), in_dims=(None, None, 0, 0))
    found = ensemble.map(per_sample, lesson.x, lesson.target, data=data)

    found = {name: found[name] for name in ensemble.trainable}
    assert_distinct(*next(iter(found.values()))[0])
    assert_members_close(found, expected, "gradient")


def gradients_sample_by_sample(model, given):
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    rows = [
        torch.autograd.grad(loss(model(x[None]), target[None]), list(named.values()))
        for x, target in zip(given["x"], given["target"], strict=True)
    ]
    return dict(zip(named, map(torch.stack, zip(*rows, strict=True)), strict=True))
