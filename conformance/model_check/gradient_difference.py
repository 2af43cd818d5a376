"""The operation whose derivative differs between the ensemble and the plain loop, though its output does not.

A zero is added to the output of each function: the derivative in it is the one that arrives at the output in backward.
From the last output to the first, the first one that differs was taken by a function whose backward differs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from conformance.checks.calls import call_member, call_model
from conformance.checks.gradients import as_leaves, named_floating_inputs
from conformance.checks.subject import SEED, Subject
from conformance.checks.values import output_tensors, weighted_sum
from conformance.model_check.first_difference import Found, plain_trace, tolerance_of, values_of_model
from conformance.model_check.operation_trace import OperationTrace
from conformance.utils.rng import seed

LARGEST = 10**7  # numbers in all outputs of all members
# By the number of a function for its output, by name for a parameter or an input; None for what is not used.
Gradients = dict[int | str, Tensor | None]
Taps = dict[int, Tensor]


def differing_backward(subject: Subject) -> Found | None:
    """Return a member's trace and the number of the function whose backward differs in the ensemble, or None."""
    members = range(len(subject.models))
    taps = _make_taps(subject)
    if sum(each.numel() for each in taps.values()) * len(members) > LARGEST:
        return None
    found = _ensemble_gradients(subject, taps)
    for i in members:
        trace, tensors, expected = _plain_gradients(subject, taps, i)
        own = {key: None if each is None else each[i] for key, each in found.items()}
        # Outputs from the last to the first, then parameters and inputs.
        keys: list[int | str] = [*sorted(taps, reverse=True), *(key for key in expected if isinstance(key, str))]
        wrong: int | str | None = next((key for key in keys if _differ(own.get(key), expected[key])), None)
        if wrong is not None:
            return _taker(trace, tensors, wrong)
    return None


def _make_taps(subject: Subject) -> Taps:
    """Return a zero for each function with one floating output, by its number."""
    trace, _ = plain_trace(subject, values_of_model, 0)
    single = {k: kinds[0] for k, kinds in enumerate(trace.kinds) if len(kinds) == 1}
    return {
        k: torch.zeros(shape, dtype=dtype, device=device)
        for k, (shape, dtype, device) in single.items()
        if (dtype.is_floating_point or dtype.is_complex) and device != "meta"
    }


def _ensemble_gradients(subject: Subject, taps: Taps) -> Gradients:
    ensemble, x = subject.ensemble(), as_leaves(subject.stacked_minibatches)
    stacked = {k: torch.stack([tap] * len(subject.models)).requires_grad_() for k, tap in taps.items()}

    def forward(params: Any, buffers: Any, given: Any) -> Any:
        with OperationTrace(dict(zip(taps, given[1], strict=True))):
            return output_tensors(call_member(ensemble.member, params, buffers, given[0]))

    out = subject.run_ensemble(forward, ensemble, (x, list(stacked.values())))
    sums = [weighted_sum([leaf[i] for leaf in out]) for i in range(len(subject.models))]
    return _gradients(torch.stack(sums).sum(), stacked | ensemble.trainable | named_floating_inputs(x))


def _plain_gradients(
    subject: Subject, taps: Taps, member: int
) -> tuple[OperationTrace, Mapping[int | str, Tensor], Gradients]:
    """Return the trace of a member, the tensors by the keys of its gradients, and the gradients."""
    model, x = subject.select([member]).pairs[0]
    x, own = as_leaves(x), {k: tap.clone().requires_grad_() for k, tap in taps.items()}
    trace = OperationTrace(own)
    with subject.fixed_seed(), trace:
        seed(subject.device, SEED)
        out = call_model(model, x)
    learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
    leaves: dict[int | str, Tensor] = dict([*learning.items(), *named_floating_inputs(x).items()])
    return trace, trace.outputs | leaves, _gradients(weighted_sum(out), own | leaves)


def _gradients(number: Tensor, wanted: Mapping[Any, Tensor]) -> Gradients:
    found: Sequence[Tensor | None] = torch.autograd.grad(number, list(wanted.values()), allow_unused=True)
    return {key: None if each is None else each.to_dense() for key, each in zip(wanted, found, strict=True)}


def _taker(trace: OperationTrace, tensors: Mapping[int | str, Tensor], key: int | str) -> Found:
    """Return the last function that takes a tensor; where none does, the one that follows its function.

    No function takes an output of which an attribute such as `.T` made another tensor.
    """
    takers = [k for k, taken in enumerate(trace.inputs) if id(tensors[key]) in taken]
    after = key + 1 if isinstance(key, int) else 0
    return trace, takers[-1] if takers else min(after, len(trace.names) - 1)


def _differ(actual: Tensor | None, expected: Tensor | None) -> bool:
    """Return True if two gradients differ by more than rounding; an unused tensor's is zero."""
    if actual is None or expected is None:
        return any(each is not None and bool(each.any()) for each in (actual, expected))
    off, size = (actual - expected).abs(), expected.abs().max() if expected.numel() else 0
    finite = actual.isfinite() | expected.isfinite()
    return bool((finite & ~(off <= tolerance_of(expected.dtype) * size)).any())
