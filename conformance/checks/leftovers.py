"""Checks for what a call leaves behind in the base or in Python: a cache, a table, a dead tensor.

A tensor that is mapped over members and outlives its call is dead: torch refuses to use it, except in another vmap of
the same level and size, where it silently stands for the first call's numbers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.calls import split_arguments
from conformance.checks.memory import are_same, call_by_itself, refuse_memory
from conformance.checks.model_checks import own_minibatch
from conformance.checks.outputs import member_forward, model_outputs
from conformance.checks.subject import Subject
from conformance.checks.values import output_tensors
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.held_objects import held_objects
from conformance.utils.pytree import leaves, tree_map
from conformance.utils.text import first_line, text_of

CHUNK = 2
ESCAPED = "escaped"  # the word by which torch refuses a dead tensor
MOST = 3  # names of dead tensors in a message


class LeftoverError(RuntimeError):
    """A call through vmap left something behind that torch refuses to use."""


def second_call(subject: Subject) -> None:
    """Check that a second call on the same base gives the members' second results."""
    _refuse_draws(subject)
    expected = subject.run_loop(lambda model, x: [model_outputs(model, x) for _ in range(2)])
    ensemble, base = subject.ensemble(), _base(subject)
    run = _on_base(subject, base)

    first = subject.run_ensemble(run, ensemble, subject.stacked_minibatches)
    dead = dead_tensors(base)
    try:
        second = subject.run_ensemble(run, ensemble, subject.stacked_minibatches)
    except Exception as error:
        if dead:
            raise LeftoverError(f"a second call through vmap fails: {_names(dead)}") from error
        raise

    with _unless_wrong_anyway(subject):
        assert_members_close([first, second], expected)


def leftovers(subject: Subject) -> None:
    """Check that a call through vmap leaves no dead tensor in the base."""
    _refuse_draws(subject)
    base = _base(subject)

    subject.run_ensemble(_on_base(subject, base), subject.ensemble(), subject.stacked_minibatches)

    dead = dead_tensors(base)
    if dead:
        raise LeftoverError(f"after a call through vmap {_names(dead)}; return it, or keep it in a buffer")


def chunks(subject: Subject) -> None:
    """Check the outputs when vmap runs two members at a time."""
    _refuse_draws(subject)
    refuse_memory(subject)
    expected = subject.run_loop(model_outputs)
    ensemble = subject.ensemble()
    run = member_forward(ensemble)

    out = subject.run_ensemble(run, ensemble, subject.stacked_minibatches, chunk_size=min(CHUNK, len(subject.models)))

    with _unless_wrong_anyway(subject):
        assert_members_close(out, expected)


def other_stack(subject: Subject) -> None:
    """Check the outputs of another ensemble's stack on a function that has run before."""
    _refuse_draws(subject)
    refuse_memory(subject)
    others = subject.select([*reversed(range(len(subject.models)))])
    expected = others.run_loop(model_outputs)
    ensemble = subject.ensemble()
    run = member_forward(ensemble)

    subject.run_ensemble(run, ensemble, subject.stacked_minibatches)
    out = others.run_ensemble(run, others.ensemble(), others.stacked_minibatches)

    with _unless_wrong_anyway(subject):
        assert_members_close(out, expected)


def base_alone(subject: Subject) -> None:
    """Check that the base may run by itself before and after a call through vmap."""
    _refuse_draws(subject)
    refuse_memory(subject)
    expected = subject.run_loop(model_outputs)
    ensemble, base, x = subject.ensemble(), _base(subject), subject.minibatches[0]
    alone = call_by_itself(base, x)

    out = subject.run_ensemble(_on_base(subject, base), ensemble, subject.stacked_minibatches)

    with _unless_wrong_anyway(subject):
        assert_members_close(out, expected)
    _assert_still_runs(base, x, alone)
    _call_smaller(subject, ensemble)


def dead_tensors(model: nn.Module) -> list[str]:
    """Return the paths of the tensors in a module that outlived their call through vmap."""
    return [path for path, held in held_objects(model) if isinstance(held, Tensor) and _is_dead(held)]


def _is_dead(tensor: Tensor) -> bool:
    try:
        tensor.clone()
    except Exception as error:  # noqa: BLE001 - torch has no other public way to ask
        return ESCAPED in text_of(error)
    return False


@contextmanager
def _unless_wrong_anyway(subject: Subject) -> Iterator[None]:
    """Let an AssertionError of the body pass, unless the first call is wrong as well: then PlainLoopError."""
    try:
        yield
    except AssertionError as error:
        try:
            own_minibatch(subject)
        except AssertionError:
            raise PlainLoopError("the first call is wrong already") from error
        raise


def _base(subject: Subject) -> nn.Module:
    """Return a copy of member 0, or member 0 itself if it can't be copied."""
    if getattr(subject.implementation, "functional_call", None) is None:
        raise PlainLoopError("the implementation provides no functional_call")
    return subject.select([0]).models[0] if subject.copied else subject.models[0]


def _on_base(subject: Subject, base: nn.Module) -> Callable[..., Any]:
    """Return the function to map: the base with a member's slices of the state."""
    call: Any = subject.implementation.functional_call  # type: ignore[attr-defined]
    return lambda params, buffers, x: output_tensors(call(base, (params, buffers), *split_arguments(x)))


def _refuse_draws(subject: Subject) -> None:
    if subject.draws:
        raise PlainLoopError("the module draws random numbers, and a second call draws different ones")


def _assert_still_runs(base: nn.Module, x: Any, alone: tuple[Tensor, ...]) -> None:
    """Raise LeftoverError if the base no longer runs by itself, AssertionError if it gives another result."""
    try:
        after = call_by_itself(base, x)
    except Exception as error:
        raise LeftoverError(f"after a call through vmap the base by itself fails: {_reason(base, error)}") from error
    assert are_same(after, alone), "after a call through vmap the base by itself gives another result"


def _call_smaller(subject: Subject, ensemble: Ensemble) -> None:
    """Raise LeftoverError if a call leaves a dead tensor in Python, such as in a cache for each size of a batch.

    The batch is one sample smaller, a size of which no call was before, and it goes through vmap first.
    """
    smaller = [_without_last_sample(x) for x in subject.minibatches]
    try:
        stacked = tree_map(lambda *each: torch.stack(each) if isinstance(each[0], Tensor) else each[0], *smaller)
        subject.run_ensemble(member_forward(ensemble), ensemble, stacked)
    except Exception:  # noqa: BLE001 - not every model takes a smaller batch
        return
    try:
        call_by_itself(_base(subject), smaller[0])
    except Exception as error:
        if ESCAPED in text_of(error):
            raise LeftoverError(f"after a call through vmap the plain module fails: {_names([])}") from error


def _without_last_sample(x: Any) -> Any:
    sizes = [len(leaf) for _, leaf in leaves(x, "") if isinstance(leaf, Tensor) and leaf.ndim]
    return tree_map(
        lambda leaf: leaf[:-1] if isinstance(leaf, Tensor) and leaf.ndim and len(leaf) == sizes[0] else leaf, x
    )


def _reason(base: nn.Module, error: Exception) -> str:
    """Return the dead tensors in the base as the reason of an error, or else its message."""
    dead = dead_tensors(base)
    return _names(dead) if dead or ESCAPED in text_of(error) else first_line(error)


def _names(dead: list[str]) -> str:
    if not dead:
        return "a tensor of the call is kept in Python, and dead"
    more = f" and {len(dead) - MOST} more" if len(dead) > MOST else ""
    return f"the base holds dead tensors: {', '.join(dead[:MOST])}{more}"
