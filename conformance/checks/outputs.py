"""What members answer and learn: each alone, and all as an ensemble."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.gradients import differentiable_by_name, gradients, gradients_in, leaves_of
from conformance.checks.subject import Subject, tensors, total
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.plain_loop import LoopResult, PlainLoopError


def forward(model: nn.Module, x: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """What a model alone answers."""
    return tuple(each.detach() for each in tensors(model(*x)))


def member(ensemble: Ensemble) -> Callable[..., Any]:
    """A member's forward with its slices: what is mapped."""
    return lambda params, buffers, x: tensors(ensemble.member(params, buffers, *x))


@dataclass(frozen=True)
class LoopOutputs:
    """What the members give alone, and whether there is something to learn, which is then a part of it."""

    alone: LoopResult
    learns: bool


def loop_outputs(subject: Subject) -> LoopOutputs:
    """What the members of a subject give alone, and learn where they can."""
    try:
        return LoopOutputs(subject.alone(_learned), learns=True)
    except PlainLoopError:
        return LoopOutputs(subject.alone(lambda model, x: {"output": forward(model, x)}), learns=False)


def ensemble_outputs(subject: Subject, *, learns: bool) -> dict[str, Any]:
    """The same of the ensemble."""
    ensemble, x = subject.ensemble(), leaves_of(subject.stacked) if learns else subject.stacked
    out = subject.together(member(ensemble), ensemble, x)
    if not learns:
        return {"output": out}
    return {"output": out, "gradient": gradients_of(subject, ensemble, x, out)}


def gradients_of(subject: Subject, ensemble: Ensemble, x: Any, out: Any) -> dict[str, Tensor]:
    """The gradients of what the ensemble gives, named and in the order of `gradients_in`, (members, *shape) each."""
    sums = [total([leaf[i] for leaf in out]) for i in range(len(subject.models))]
    return gradients(torch.stack(sums).sum(), ensemble.trainable | differentiable_by_name(x))


def _learned(model: nn.Module, x: tuple[Any, ...]) -> dict[str, Any]:
    given = leaves_of(x)
    out = tensors(model(*given))
    return {"output": tuple(each.detach() for each in out), "gradient": gradients_in(model, given, out)}
