"""What one member holds and the others must not feel: numbers that spread, and indices out of range."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from conformance.checks.subject import Subject
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import LoopResult
from conformance.utils.pytree import is_inexact, leaves, tree_map

NUMBERS = (math.nan, math.inf)
ONE = 1  # the member that is spoiled
FAR = 2**20


def with_numbers(subject: Subject) -> Iterator[Subject]:
    """The subject with NaN or infinity in one member's state and minibatch, where it can take them."""
    for value in NUMBERS:
        spoiled = subject.of(range(len(subject.models)))
        tensors = [tensor for tensor in (*_state(spoiled), *_minibatch(spoiled)) if is_inexact(tensor)]
        with torch.no_grad():
            for tensor in tensors:
                tensor.fill_(value)
        if tensors and takes(spoiled.of([ONE])):
            yield spoiled


def with_indices(subject: Subject) -> Iterator[Subject]:
    """The subject with an index in one member's minibatch that the plain module does not take, each in turn."""
    for place, tensor in enumerate(_minibatch(subject)):
        if tensor.dtype != torch.int64 or not tensor.numel():
            continue
        for index in (-1, *range(int(tensor.max()) + 1, 64), FAR):
            lone = subject.of([ONE])
            _minibatch(lone, 0)[place].view(-1)[0] = index
            if takes(lone):
                continue
            spoiled = subject.of(range(len(subject.models)))
            _minibatch(spoiled)[place].view(-1)[0] = index
            yield spoiled
            if index > 0:
                break


def takes(lone: Subject) -> bool:
    """Does a member alone answer?"""
    model, x = lone.pairs[0]
    try:
        with lone.seeded():
            model(*x)
    except Exception:  # noqa: BLE001 - a module refuses in any way it likes
        return False
    return True


def assert_others_close(actual: Any, expected: LoopResult) -> None:
    """What is not the spoiled member's is what it was."""
    count = len(expected.values)
    others = [i for i in range(count) if i != ONE]
    kept = LoopResult(*([each[i] for i in others] for each in (expected.values, expected.truth, expected.sample)))
    assert_members_close(_rows(actual, others), kept, "answer")


def _rows(tree: Any, which: list[int]) -> Any:
    return tree_map(lambda leaf: leaf[which], tree)


def _state(subject: Subject) -> list[Tensor]:
    model = subject.models[ONE]
    return [*model.parameters(), *model.buffers()]


def _minibatch(subject: Subject, which: int = ONE) -> list[Tensor]:
    return [leaf for _, leaf in leaves(subject.minibatches[which], "input") if isinstance(leaf, Tensor)]
