"""Outputs and gradients of members: one by one, and as an ensemble."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.calls import call_member, call_model
from conformance.checks.gradients import as_leaves, gradients_by_name, named_floating_inputs, output_gradients
from conformance.checks.subject import Subject
from conformance.checks.values import output_tensors, weighted_sum
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.plain_loop import LoopResult, PlainLoopError


def model_outputs(model: nn.Module, x: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Return the output tensors of one model, detached."""
    return tuple(each.detach() for each in output_tensors(call_model(model, x)))


def member_forward(ensemble: Ensemble) -> Callable[..., Any]:
    """Return the function to map: a member's forward, called with its slices of the state."""
    return lambda params, buffers, x: output_tensors(call_member(ensemble.member, params, buffers, x))


@dataclass(frozen=True)
class LoopOutputs:
    """The results of the plain loop, which contain gradients if `with_gradients`."""

    result: LoopResult
    with_gradients: bool


def loop_outputs(subject: Subject) -> LoopOutputs:
    """Return the outputs of a plain loop over the members, and their gradients if they have any."""
    with suppress(PlainLoopError):
        if subject.with_gradients:
            return LoopOutputs(subject.run_loop(output_and_gradients), with_gradients=True)
    return LoopOutputs(subject.run_loop(lambda model, x: {"output": model_outputs(model, x)}), with_gradients=False)


def ensemble_outputs(subject: Subject, *, with_gradients: bool) -> dict[str, Any]:
    """Return the outputs of the ensemble, and the gradients if `with_gradients`."""
    ensemble, x = subject.ensemble(), subject.stacked_minibatches
    x = as_leaves(x) if with_gradients else x
    out = subject.run_ensemble(member_forward(ensemble), ensemble, x)
    if not with_gradients:
        return {"output": out}
    return {"output": out, "gradient": ensemble_gradients(subject, ensemble, x, out)}


def ensemble_gradients(subject: Subject, ensemble: Ensemble, x: Any, out: Any) -> dict[str, Tensor]:
    """Return the gradients of the ensemble's output by name, (members, *shape) each, in `output_gradients`' order."""
    sums = [weighted_sum([leaf[i] for leaf in out]) for i in range(len(subject.models))]
    return gradients_by_name(torch.stack(sums).sum(), ensemble.trainable | named_floating_inputs(x))


def output_and_gradients(model: nn.Module, x: tuple[Any, ...]) -> dict[str, Any]:
    """Return the output tensors and the gradients of one model. Raises PlainLoopError if all gradients are zero."""
    inputs = as_leaves(x)
    out = output_tensors(call_model(model, inputs))
    return {"output": tuple(each.detach() for each in out), "gradient": output_gradients(model, inputs, out)}
