"""Perturbations of one member that must not affect the others: non-finite numbers and indices out of range."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from conformance.checks.calls import call_model, own_leaves
from conformance.checks.subject import Subject
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import LoopResult
from conformance.utils.pytree import is_inexact, tree_map
from conformance.utils.text import text_of

NON_FINITE = (math.nan, math.inf)
PERTURBED_MEMBER = 1
LARGE_INDEX = 2**20


def with_non_finite_numbers(subject: Subject) -> Iterator[Subject]:
    """Yield the subject with NaN, then infinity, in one member's state and minibatch, if it runs alone with them."""
    for value in NON_FINITE:
        perturbed = subject.select(range(len(subject.models)))
        held = [*_state(perturbed), *_minibatch(perturbed)]
        tensors = [tensor for tensor in held if is_inexact(tensor) and tensor.layout == torch.strided]
        with torch.no_grad():
            for tensor in tensors:
                tensor.fill_(value)
        if tensors and runs_alone(perturbed.select([PERTURBED_MEMBER])):
            yield perturbed


def with_out_of_range_indices(subject: Subject) -> Iterator[Subject]:
    """Yield the subject with an index in one member's minibatch that the plain module refuses, one tensor at a time."""
    for position, tensor in enumerate(_minibatch(subject)):
        if tensor.dtype != torch.int64 or not tensor.numel():
            continue
        for index in (-1, *range(int(tensor.max()) + 1, 64), LARGE_INDEX):
            lone = subject.select([PERTURBED_MEMBER])
            _minibatch(lone, 0)[position].view(-1)[0] = index
            if runs_alone(lone):
                continue
            perturbed = subject.select(range(len(subject.models)))
            _minibatch(perturbed)[position].view(-1)[0] = index
            yield perturbed
            if index > 0:
                break


def runs_alone(lone: Subject) -> bool:
    """Return True if the plain module runs without an error."""
    return _error_of(lone) is None


def plain_refusal(subject: Subject) -> str:
    """Return the plain module's error for the perturbed member; an empty string if there is none."""
    return text_of(_error_of(subject.select([PERTURBED_MEMBER])) or "")


def _error_of(lone: Subject) -> Exception | None:
    model, x = lone.pairs[0]
    try:
        with lone.fixed_seed():
            call_model(model, x)
    except Exception as error:  # noqa: BLE001 - any exception counts as a refusal
        return error
    return None


def assert_others_close(actual: Any, expected: LoopResult) -> None:
    """Assert that the results of all members but the perturbed one match the plain loop."""
    count = len(expected.values)
    others = [i for i in range(count) if i != PERTURBED_MEMBER]
    assert_members_close(_rows(actual, others), expected.select(others), "result")


def _rows(tree: Any, which: list[int]) -> Any:
    return tree_map(lambda leaf: leaf[which], tree)


def _state(subject: Subject) -> list[Tensor]:
    model = subject.models[PERTURBED_MEMBER]
    return [*model.parameters(), *model.buffers()]


def _minibatch(subject: Subject, which: int = PERTURBED_MEMBER) -> list[Tensor]:
    return [leaf for _, leaf in own_leaves(subject.minibatches[which]) if isinstance(leaf, Tensor)]
