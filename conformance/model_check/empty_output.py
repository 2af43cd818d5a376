"""Outputs that prove nothing, although those of the ensemble are equal to them."""

import torch

from conformance.checks.calls import call_model
from conformance.checks.subject import Subject
from conformance.checks.values import output_tensors


def empty_output_reason(subject: Subject, *, needs_grad: bool) -> str | None:
    """Return the reason why the outputs of the plain modules prove nothing, or None. Raises what a module raises."""
    with torch.set_grad_enabled(needs_grad):
        outputs = [leaf for model, x in subject.pairs for leaf in output_tensors(call_model(model, x))]
    if not any(leaf.numel() for leaf in outputs):
        return "the plain module returns no numbers"
    if not any(leaf.layout != torch.strided or leaf.isfinite().any() for leaf in outputs):
        return "the plain module returns only NaN and infinity"
    return None
