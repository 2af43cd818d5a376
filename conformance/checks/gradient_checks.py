"""Checks of derivatives: backward, torch.func.grad and torch.func.jvp inside vmap, and gradients per sample."""

from functools import partial
from typing import Any

from torch import Tensor

from conformance.checks.gradients import (
    apply_transform,
    as_leaves,
    grad_of_call,
    jvp_of_call,
    model_gradients,
    parameter_gradients,
    per_sample_gradients,
    replace_samples,
    sampled_tensors,
)
from conformance.checks.memory import unless_it_remembers
from conformance.checks.outputs import ensemble_gradients, member_forward
from conformance.checks.subject import Subject
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import PlainLoopError


def backward(subject: Subject) -> None:
    """Check that backward gives each member the gradients of its parameters and floating inputs."""
    expected = subject.run_loop(model_gradients)
    ensemble, x = subject.ensemble(), as_leaves(subject.stacked_minibatches)

    out = subject.run_ensemble(member_forward(ensemble), ensemble, x)

    assert_members_close(ensemble_gradients(subject, ensemble, x, out), expected, "gradient")


def grad(subject: Subject) -> None:
    """Check that torch.func.grad inside vmap gives each member its gradients."""
    expected = subject.run_loop(partial(apply_transform, grad_of_call))
    ensemble = subject.ensemble()

    found = subject.run_ensemble(partial(grad_of_call, ensemble.member), ensemble, subject.stacked_minibatches)

    assert_members_close(found, expected, "gradient")


def forward_mode(subject: Subject) -> None:
    """Check that torch.func.jvp inside vmap gives each member's directional derivative.

    The direction covers all parameters and floating inputs.
    """
    expected = subject.run_loop(partial(apply_transform, jvp_of_call))
    ensemble = subject.ensemble()

    found = subject.run_ensemble(partial(jvp_of_call, ensemble.member), ensemble, subject.stacked_minibatches)

    assert_members_close(found, expected, "tangent")


def per_sample(subject: Subject) -> None:
    """Check the gradients of each sample for each member: torch.func.grad inside two levels of vmap."""
    if subject.draws:
        raise PlainLoopError("the module draws random numbers, and a sample run alone draws different ones")
    if not any(True for _ in subject.models[0].parameters()):
        raise PlainLoopError("the module has no parameters")
    expected = subject.run_loop(per_sample_gradients)
    ensemble = subject.ensemble()

    def of_samples(params: Any, buffers: Any, x: tuple[Any, ...]) -> Any:
        def of_one(sample: list[Tensor]) -> Any:
            return parameter_gradients(ensemble.member, params, buffers, replace_samples(x, sample))

        return subject.implementation.vmap(of_one)(sampled_tensors(x))

    found = subject.run_ensemble(of_samples, ensemble, subject.stacked_minibatches)
    with unless_it_remembers(subject):
        assert_members_close(found, expected, "gradient")
