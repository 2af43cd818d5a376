"""The first operation of a model whose result differs between the ensemble and the plain loop."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from conformance.checks.calls import call_member, call_model
from conformance.checks.gradients import apply_transform
from conformance.checks.subject import SEED, Subject
from conformance.model_check.operation_trace import OperationTrace
from conformance.utils.rng import seed
from conformance.workloads.derivatives import make_tangents

# The largest difference of two summaries that rounding explains, in parts of the sum of absolute values.
TOLERANCE = {torch.float64: 1e-9, torch.complex128: 1e-9, torch.float32: 1e-4, torch.complex64: 1e-4}
COARSE = 3e-2
# A traced call: it takes the trace, a model and its minibatch.
Plain = Callable[[OperationTrace, Any, Any], Sequence[Tensor]]
# The same in the ensemble: it takes the trace, a member's parameters, its buffers and its minibatch.
Mapped = Callable[[OperationTrace, Any, Any, Any], Sequence[Tensor]]
Found = tuple[OperationTrace, int]


def values_of_model(trace: OperationTrace, model: Any, x: Any) -> Sequence[Tensor]:
    """Call a model under a trace, and return the summary of each function's output."""
    with trace:
        call_model(model, x)
    return trace.summaries


def values_of_member(call: Callable[..., Any], trace: OperationTrace, params: Any, buffers: Any, x: Any) -> Any:
    """Call a member under a trace, and return the summary of each function's output."""
    with trace:
        call_member(call, params, buffers, x)
    return trace.summaries


def tangents_of_model(trace: OperationTrace, model: Any, x: Any) -> Sequence[Tensor]:
    """Return the directional derivative of each function's summary, for a direction of the parameters."""
    return apply_transform(lambda call, *state: tangents_of_member(call, trace, *state), model, x)


def tangents_of_member(call: Callable[..., Any], trace: OperationTrace, params: Any, buffers: Any, x: Any) -> Any:
    """Return the directional derivative of each function's summary, for a direction of the parameters."""
    func = partial(_tangent_function, call, trace, buffers, x)
    return torch.func.jvp(func, (params,), (make_tangents(params),))[1]


def _tangent_function(call: Callable[..., Any], trace: OperationTrace, buffers: Any, x: Any, params: Any) -> Any:
    return list(values_of_member(call, trace, params, buffers, x))


def differing_operation(subject: Subject, plain: Plain, mapped: Mapped, members: Sequence[int]) -> Found | None:
    """Return a trace and the number of the first function in it whose output differs in the ensemble, or None.

    The trace is that of a member that differs, or the ensemble's where the plain module has ended before.
    """
    expected = [plain_trace(subject, plain, i) for i in members]
    ensemble = OperationTrace()
    rows = _run_ensemble(subject, mapped, ensemble)
    for k, name in enumerate(ensemble.names):
        for i, (trace, summaries) in zip(members, expected, strict=True):
            if k >= len(trace.names):
                return ensemble, k
            same = trace.names[k] == name and trace.kinds[k] == ensemble.kinds[k]
            if not same or _differ(rows[k][i], summaries[k], trace.kinds[k]):
                return trace, k
    longer = [trace for trace, _ in expected if len(trace.names) > len(ensemble.names)]
    return (longer[0], len(ensemble.names)) if longer else None


def unmapped_draw(twins: Subject, mapped: Mapped) -> Found | None:
    """Return the first function that draws the same numbers for all members in mode "different", or None.

    If there is none, it is the first one that draws at all: mode "error" should have refused it. `twins` are equal
    members with equal minibatches.
    """
    trace, _ = plain_trace(twins, values_of_model, 0)
    rows = _run_ensemble(twins, mapped, OperationTrace(), randomness="different")
    drawn = [k for k, drew in enumerate(trace.drew) if drew]
    alike = [k for k in drawn if bool((rows[k] == rows[k][:1]).all())]
    return next(((trace, k) for k in (*alike, *drawn)), None)


def plain_trace(subject: Subject, plain: Plain, member: int) -> tuple[OperationTrace, Sequence[Tensor]]:
    """Return the trace of a copy of a member, and the result of `plain`."""
    trace = OperationTrace()
    model, x = subject.select([member]).pairs[0]
    with subject.fixed_seed():
        seed(subject.device, SEED)
        return trace, [each.detach() for each in plain(trace, model, x)]


def _run_ensemble(subject: Subject, mapped: Mapped, trace: OperationTrace, **options: Any) -> list[Tensor]:
    def func(params: Any, buffers: Any, x: Any) -> Any:
        return list(mapped(trace, params, buffers, x))

    out = subject.run_ensemble(func, subject.ensemble(), subject.stacked_minibatches, **options)
    return [each.detach() for each in out]


def tolerance_of(dtype: torch.dtype) -> float:
    """Return the relative difference that rounding explains."""
    return TOLERANCE.get(dtype, COARSE) if dtype.is_floating_point or dtype.is_complex else 0.0


def _differ(actual: Tensor, expected: Tensor, kinds: Sequence[tuple[Any, ...]]) -> bool:
    """Return True if two summaries differ by more than rounding."""
    tolerance = max((tolerance_of(dtype) for _, dtype, _ in kinds), default=0.0)
    finite = actual.isfinite() | expected.isfinite()
    return bool((finite & ~((actual - expected).abs() <= tolerance * expected[1].abs())).any())
