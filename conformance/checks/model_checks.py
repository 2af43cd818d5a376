"""Checks a model must pass as an ensemble; each function implements one `modules` requirement.

A check takes a `Subject`. It returns if the ensemble matches the plain loop, and raises

- PlainLoopError if the plain module can't do it, so the check is not applicable,
- AssertionError if the ensemble gives a different result, which is the failure that matters most,
- any other exception if the ensemble refuses.

`conformance.checks.outcome.run_check` turns these into a `CheckResult`.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import torch

from conformance.checks.calls import call_model, split_arguments
from conformance.checks.gradient_checks import backward, forward_mode, grad, per_sample
from conformance.checks.memory import unless_it_remembers
from conformance.checks.outputs import ensemble_outputs, loop_outputs, member_forward, model_outputs
from conformance.checks.perturbation import (
    PERTURBED_MEMBER,
    assert_others_close,
    plain_refusal,
    with_non_finite_numbers,
    with_out_of_range_indices,
)
from conformance.checks.subject import Subject
from conformance.checks.values import output_tensors
from conformance.numerics.assertions import REFUSALS, assert_members_close, assert_same, unchanged
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.module_state import state_of
from conformance.utils.pytree import is_inexact
from conformance.utils.text import text_of

Check = Callable[[Subject], None]

# The refusal of an index names it, its range or what it counts, or says that vmap can't use values.
OUT_OF_RANGE = re.compile(
    r"index|indices|\bidx|range|bound|offset|length|size|classes|class values|assert|vmap|batching rule|dynamic shape",
    re.IGNORECASE,
)


def own_minibatch(subject: Subject) -> None:
    """Check the outputs when each member has its own minibatch."""
    expected = subject.run_loop(model_outputs)
    ensemble = subject.ensemble()

    assert_members_close(
        subject.run_ensemble(member_forward(ensemble), ensemble, subject.stacked_minibatches), expected
    )


def shared_minibatch(subject: Subject) -> None:
    """Check the outputs when all members share one minibatch."""
    if not state_of(subject.models[0]):
        raise PlainLoopError("the module has no state, so nothing is mapped")
    expected = subject.run_loop(model_outputs, shared=True)
    ensemble = subject.ensemble()

    out = subject.run_ensemble(member_forward(ensemble), ensemble, subject.minibatches[0], in_dims=(0, 0, None))

    assert_members_close(out, expected)


def buffers(subject: Subject) -> None:
    """Check that calls in train mode update the stacked buffers as they update the members' buffers."""
    trained = subject.in_mode(True)
    if not any(True for _ in trained.models[0].buffers()):
        raise PlainLoopError("the module has no buffers")
    # The second call would draw different numbers, so a module that draws is called once.
    calls = 1 if trained.draws else 2

    def after(model: Any, x: Any) -> Any:
        for _ in range(calls):
            call_model(model, x)
        return dict(model.named_buffers())

    expected = trained.run_loop(after)
    ensemble = trained.ensemble()

    for _ in range(calls):
        trained.run_ensemble(member_forward(ensemble), ensemble, trained.stacked_minibatches)

    assert_members_close(ensemble.buffers, expected, "buffer")


def randomness(subject: Subject) -> None:
    """Check a module that draws: mode "error" refuses it, mode "different" gives each member its own numbers."""
    if not subject.is_random:
        raise PlainLoopError("the module draws no random numbers")
    twins = subject.select([0] * len(subject.models))

    def run(**options: Any) -> Any:
        # A stack of its own, since a call may move a generator that the base holds.
        ensemble = twins.ensemble()
        return twins.run_ensemble(member_forward(ensemble), ensemble, twins.stacked_minibatches, **options)

    try:
        run(randomness="error")
    except REFUSALS as refusal:
        if "random" not in text_of(refusal):
            raise
    else:
        raise AssertionError("expected an error mentioning 'random', but none was raised")
    once, again = run(randomness="different"), run(randomness="different")

    assert_same(once, again, "the same seed")
    drawn = torch.cat([leaf.flatten(1) for leaf in [each for each in once if is_inexact(each)] or once], 1)
    # Two members may draw the same few numbers by chance; all of them do not.
    assert (drawn != drawn[0]).any(), "all members draw the same numbers"


def restored(subject: Subject) -> None:
    """Check that no call changes a member, not even one that fails, and that the next call still works."""
    expected = subject.run_loop(model_outputs)

    with unchanged(*subject.models):
        ensemble = subject.ensemble()
        run = member_forward(ensemble)

        def failing(*args: Any) -> Any:
            run(*args)
            raise OnPurposeError

        subject.run_ensemble(run, ensemble, subject.stacked_minibatches)
        with suppress(OnPurposeError):
            subject.run_ensemble(failing, ensemble, subject.stacked_minibatches)
    # Stack again, because a call may have written to the buffers; the mapped function is the same.
    again = subject.run_ensemble(run, subject.ensemble(), subject.stacked_minibatches)

    with unless_it_remembers(subject):
        assert_members_close(again, expected)


class OnPurposeError(Exception):
    """The error that a call raises on purpose."""


def order(subject: Subject) -> None:
    """Check that reordering the members reorders their outputs and gradients."""
    count = len(subject.models)
    assert_same_as_members(subject.select([*reversed(range(1, count)), 0]))


def single(subject: Subject) -> None:
    """Check the outputs and gradients of an ensemble of one member."""
    assert_same_as_members(subject.select([PERTURBED_MEMBER]))


def assert_same_as_members(subject: Subject) -> None:
    """Assert that outputs, and gradients if there are any, match the plain loop."""
    expected = loop_outputs(subject)
    assert_members_close(ensemble_outputs(subject, with_gradients=expected.with_gradients), expected.result, "result")


def modes(subject: Subject) -> None:
    """Check the outputs in the other mode: eval if the module is in train mode, and vice versa."""
    own_minibatch(subject.in_mode(not subject.models[0].training))


def isolation(subject: Subject) -> None:
    """Check that NaN or infinity in one member's state and minibatch does not affect the other members."""
    perturbed = list(with_non_finite_numbers(subject))
    if not perturbed:
        raise PlainLoopError("the plain module accepts neither NaN nor infinity")
    expected = loop_outputs(subject)
    for each in perturbed:
        loop_outputs(each.select([PERTURBED_MEMBER]))  # skip what the plain module itself fails on
        assert_others_close(ensemble_outputs(each, with_gradients=expected.with_gradients), expected.result)


def out_of_range(subject: Subject) -> None:
    """Check that the ensemble refuses an index that the plain module refuses, and names it or says the same."""
    perturbed = list(with_out_of_range_indices(subject))
    if not perturbed:
        raise PlainLoopError("the plain module refuses no index")
    for each in perturbed:
        ensemble = each.ensemble()
        try:
            each.run_ensemble(member_forward(ensemble), ensemble, each.stacked_minibatches)
        except Exception as refusal:
            if not OUT_OF_RANGE.search(text_of(refusal)) and text_of(refusal) != plain_refusal(each):
                raise
        else:
            raise AssertionError(
                f"member {PERTURBED_MEMBER}: the ensemble returned an output for an index out of range, "
                "which the plain module refuses"
            )


def meta_base(subject: Subject) -> None:
    """Check that a base module on the meta device computes with the stacked state, as in PyTorch's tutorial."""
    call = getattr(subject.implementation, "functional_call", None)
    if call is None:
        raise PlainLoopError("the implementation provides no functional_call")
    expected = subject.run_loop(model_outputs)
    ensemble = subject.ensemble()
    base = subject.select([0]).models[0].to("meta")

    def on_meta(params: Any, buffers: Any, x: tuple[Any, ...]) -> Any:
        return output_tensors(call(base, (params, buffers), *split_arguments(x)))

    assert_members_close(subject.run_ensemble(on_meta, ensemble, subject.stacked_minibatches), expected)


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        check.__name__: check
        for check in (
            own_minibatch,
            shared_minibatch,
            backward,
            grad,
            forward_mode,
            per_sample,
            buffers,
            randomness,
            restored,
            order,
            single,
            modes,
            isolation,
            out_of_range,
            meta_base,
        )
    }
)
