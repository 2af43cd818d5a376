"""The location of a wrong result: the first operation that differs from the plain loop, its module and its line."""

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import torch
import torch.utils.hooks
from torch import nn

from conformance.checks.calls import call_model
from conformance.checks.outputs import member_forward
from conformance.checks.perturbation import PERTURBED_MEMBER, with_non_finite_numbers, with_out_of_range_indices
from conformance.checks.subject import Subject
from conformance.model_check.failure_location import FailureLocation, locate_failure, name_module
from conformance.model_check.first_difference import (
    Found,
    differing_operation,
    tangents_of_member,
    tangents_of_model,
    unmapped_draw,
    values_of_member,
    values_of_model,
)
from conformance.model_check.gradient_difference import differing_backward
from conformance.model_check.operation_trace import limited_traces
from conformance.model_check.user_code import user_code_line
from conformance.utils.text import type_name

WITH_GRADIENTS = {"backward", "grad", "per_sample", "order", "single", "isolation"}
NAMED = re.compile(r"(?:gradient|buffer)(?:\[0\]|'\])?\['([^'\]]+)'\]")


def locate_difference(step: str, message: str, subject: Subject) -> FailureLocation:
    """Return the location of what the check `step` found to be wrong, as far as it can be found.

    Where no operation differs, it is the module of the parameter or buffer that the message names.
    """
    if step == "out_of_range":
        return _locate_index(subject)
    with limited_traces():
        found = next((each for each in _attempts(step, subject) if each), None)
    if found is None:
        return FailureLocation(None, _named_module(message, subject.models[0]), None)
    trace, k = found
    called = [owner for _, _, owner in trace.callers[k] if owner is not None]
    lines = [(name, line) for name, line, _ in trace.callers[k]]
    hooked = any(name == torch.utils.hooks.__file__ for name, _ in lines)
    operation = "full backward hook" if hooked else trace.other_draws[k] or trace.names[k]
    return FailureLocation(operation, name_module(called), user_code_line(lines))


def _attempts(step: str, subject: Subject) -> Iterator[Found | None]:
    """Yield what is found in the ways that fit a check, until one finds something."""
    subject = _subject_of(step, subject)
    call = subject.ensemble().member
    if step == "randomness":
        yield unmapped_draw(subject, partial(values_of_member, call))
    elif step == "meta_base":
        yield differing_operation(subject, values_of_model, _on_meta(subject), range(len(subject.models)))
    else:
        yield from _attempts_of(step, subject, call)


def _attempts_of(step: str, subject: Subject, call: Callable[..., Any]) -> Iterator[Found | None]:
    everyone = range(len(subject.models))
    yield differing_operation(subject, values_of_model, partial(values_of_member, call), everyone)
    if step == "restored":  # a call that follows another one
        yield differing_operation(subject, values_of_model, partial(values_of_member, call), everyone)
    if step == "forward_mode":
        yield differing_operation(subject, tangents_of_model, partial(tangents_of_member, call), everyone)
    if step in WITH_GRADIENTS:
        yield differing_backward(subject)
    if step == "isolation":
        others = [i for i in everyone if i != PERTURBED_MEMBER]
        for each in with_non_finite_numbers(subject):
            yield differing_operation(each, values_of_model, partial(values_of_member, call), others)


def _subject_of(step: str, subject: Subject) -> Subject:
    """Return the members, minibatches and mode that a check asks about."""
    count = len(subject.models)
    if step == "shared_minibatch":
        shared = subject.select(range(count))
        shared.minibatches = [shared.minibatches[0]] * count
        return shared
    if step in ("modes", "buffers"):
        return subject.in_mode(step == "buffers" or not subject.models[0].training)
    selected = {"order": [*reversed(range(1, count)), 0], "single": [PERTURBED_MEMBER], "randomness": [0] * count}
    return subject.select(selected.get(step, range(count)))


def _on_meta(subject: Subject) -> Any:
    """Return the mapped function of a base module on the meta device."""
    call: Any = getattr(subject.implementation, "functional_call")  # noqa: B009 - not part of the protocol
    base = copy.deepcopy(subject.models[0]).to("meta")

    def member(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
        return call(base, (params, buffers), args, kwargs)

    return partial(values_of_member, member)


def _locate_index(subject: Subject) -> FailureLocation:
    """Return the operation that refuses the index in the plain module, where the ensemble accepts it."""
    for each in with_out_of_range_indices(subject):
        ensemble = each.ensemble()
        with suppress(Exception):
            each.run_ensemble(member_forward(ensemble), ensemble, each.stacked_minibatches)
            model, x = each.select([PERTURBED_MEMBER]).pairs[0]
            try:
                call_model(model, x)
            except Exception as error:  # noqa: BLE001 - any exception counts as a refusal
                return locate_failure(error, partial(call_model, model, x))
    return FailureLocation(None, None, None)


def _named_module(message: str, model: nn.Module) -> str | None:
    """Return the module of the parameter or buffer that a message names."""
    named = NAMED.search(message)
    path = named[1].rpartition(".")[0] if named else None
    owner = dict(model.named_modules()).get(path) if path is not None else None
    return None if owner is None else f"{path} ({type_name(owner)})" if path else type_name(owner)
