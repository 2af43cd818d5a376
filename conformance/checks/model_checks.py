"""What a model has to do as an ensemble: one requirement of the chapter `modules` each, as plain functions.

A check takes a `Subject`. It returns if the ensemble gives what the members give, and raises

- PlainLoopError if the plain module can't do it, so that there is nothing to ask,
- AssertionError if the ensemble gives something else, which is the failure that matters,
- anything else if the ensemble refuses.

`judge` says which of these it was.
"""

import copy
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from conformance.checks.gradients import (
    apply_transform,
    as_leaves,
    grad_of_call,
    jvp_of_call,
    model_gradients,
    parameter_gradients,
    per_sample_gradients,
    replace_samples,
    sampled_tensors,
)
from conformance.checks.outputs import ensemble_gradients, ensemble_outputs, loop_outputs, member_forward, model_outputs
from conformance.checks.perturbation import (
    PERTURBED_MEMBER,
    assert_others_close,
    with_non_finite_numbers,
    with_out_of_range_indices,
)
from conformance.checks.subject import Subject, output_tensors
from conformance.numerics.assertions import REFUSALS, assert_members_close, assert_same, unchanged
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.module_state import state_of
from conformance.utils.pytree import is_inexact

Check = Callable[[Subject], None]


def own_minibatch(subject: Subject) -> None:
    """Each member with a minibatch of its own gives what it gives alone."""
    expected = subject.run_loop(model_outputs)
    ensemble = subject.ensemble()

    assert_members_close(
        subject.run_ensemble(member_forward(ensemble), ensemble, subject.stacked_minibatches), expected
    )


def shared_minibatch(subject: Subject) -> None:
    """All members with the same minibatch give what they give alone."""
    if not state_of(subject.models[0]):
        raise PlainLoopError("nothing of it is mapped: it has no state")
    expected = subject.run_loop(model_outputs, shared=True)
    ensemble = subject.ensemble()

    out = subject.run_ensemble(member_forward(ensemble), ensemble, subject.minibatches[0], in_dims=(0, 0, None))

    assert_members_close(out, expected)


def backward(subject: Subject) -> None:
    """Backward through the ensemble gives each member its gradients, in every parameter and floating input."""
    expected = subject.run_loop(model_gradients)
    ensemble, x = subject.ensemble(), as_leaves(subject.stacked_minibatches)

    out = subject.run_ensemble(member_forward(ensemble), ensemble, x)

    assert_members_close(ensemble_gradients(subject, ensemble, x, out), expected, "gradient")


def grad(subject: Subject) -> None:
    """torch.func.grad inside vmap gives them too."""
    expected = subject.run_loop(partial(apply_transform, grad_of_call))
    ensemble = subject.ensemble()

    found = subject.run_ensemble(partial(grad_of_call, ensemble.member), ensemble, subject.stacked_minibatches)

    assert_members_close(found, expected, "gradient")


def forward_mode(subject: Subject) -> None:
    """torch.func.jvp inside vmap gives each member's derivative along all its parameters and floating inputs."""
    expected = subject.run_loop(partial(apply_transform, jvp_of_call))
    ensemble = subject.ensemble()

    found = subject.run_ensemble(partial(jvp_of_call, ensemble.member), ensemble, subject.stacked_minibatches)

    assert_members_close(found, expected, "tangent")


def per_sample(subject: Subject) -> None:
    """Gradients of each sample for each member: torch.func.grad inside two levels of vmap."""
    if subject.is_random:
        raise PlainLoopError("it draws, and a sample by itself draws other numbers")
    if not any(True for _ in subject.models[0].parameters()):
        raise PlainLoopError("it has no parameters")
    expected = subject.run_loop(per_sample_gradients)
    ensemble = subject.ensemble()

    def of_samples(params: Any, buffers: Any, x: tuple[Any, ...]) -> Any:
        def of_one(sample: list[Tensor]) -> Any:
            return parameter_gradients(ensemble.member, params, buffers, replace_samples(x, sample))

        return subject.implementation.vmap(of_one)(sampled_tensors(x))

    assert_members_close(subject.run_ensemble(of_samples, ensemble, subject.stacked_minibatches), expected, "gradient")


def buffers(subject: Subject) -> None:
    """Calls in train mode leave in the stacked buffers what they leave in the members'."""
    trained = subject.in_mode(True)
    if not any(True for _ in trained.models[0].buffers()):
        raise PlainLoopError("it has no buffers")
    # The second call would draw other numbers than the first: of a module that draws, one call is asked.
    calls = 1 if trained.is_random else 2

    def after(model: Any, x: Any) -> Any:
        for _ in range(calls):
            model(*x)
        return dict(model.named_buffers())

    expected = trained.run_loop(after)
    ensemble = trained.ensemble()

    for _ in range(calls):
        trained.run_ensemble(member_forward(ensemble), ensemble, trained.stacked_minibatches)

    assert_members_close(ensemble.buffers, expected, "buffer")


def randomness(subject: Subject) -> None:
    """A module that draws is refused in mode "error", and draws for each member anew in mode "different"."""
    if not subject.is_random:
        raise PlainLoopError("it draws nothing")
    twins = subject.select([0] * len(subject.models))
    ensemble = twins.ensemble()
    run = partial(twins.run_ensemble, member_forward(ensemble), ensemble, twins.stacked_minibatches)

    try:
        run(randomness="error")
    except REFUSALS as refusal:
        if "random" not in str(refusal):
            raise
    else:
        raise AssertionError("accepted silently; a refusal that names its randomness was due")
    once, again = run(randomness="different"), run(randomness="different")

    assert_same(once, again, "the same seed")
    drawn = torch.cat([leaf.flatten(1) for leaf in once if is_inexact(leaf)], 1)
    # Where little is drawn, two members may draw the same; all of them don't.
    assert (drawn != drawn[0]).any(), "all members draw the same"


def restored(subject: Subject) -> None:
    """No call, and none that fails on its way, changes a member; the ensemble goes on as before."""
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
    # Buffers that a call has written are stacked anew; what calls the members is the same.
    again = subject.run_ensemble(run, subject.ensemble(), subject.stacked_minibatches)

    assert_members_close(again, expected)


class OnPurposeError(Exception):
    """What a call fails with here."""


def order(subject: Subject) -> None:
    """The members in another order give and learn the same in that order."""
    count = len(subject.models)
    assert_same_as_members(subject.select([*reversed(range(1, count)), 0]))


def single(subject: Subject) -> None:
    """An ensemble of one gives and learns what its member does."""
    assert_same_as_members(subject.select([PERTURBED_MEMBER]))


def assert_same_as_members(subject: Subject) -> None:
    """Each member gives what it gives alone, and if it learns, it learns what it learns alone."""
    expected = loop_outputs(subject)
    assert_members_close(ensemble_outputs(subject, learns=expected.learns), expected.result, "answer")


def modes(subject: Subject) -> None:
    """Members in the other mode, train or eval, give what they give alone in that mode."""
    own_minibatch(subject.in_mode(not subject.models[0].training))


def isolation(subject: Subject) -> None:
    """NaN and infinity in one member's state and minibatch change nothing of what the others give and learn."""
    spoiled = list(with_non_finite_numbers(subject))
    if not spoiled:
        raise PlainLoopError("it takes neither NaN nor infinity")
    expected = loop_outputs(subject)
    for each in spoiled:
        loop_outputs(each.select([PERTURBED_MEMBER]))  # what takes the plain module down is not the ensemble's
        assert_others_close(ensemble_outputs(each, learns=expected.learns), expected.result)


def out_of_range(subject: Subject) -> None:
    """An index that the plain module refuses gets no numbers from the ensemble either."""
    spoiled = list(with_out_of_range_indices(subject))
    if not spoiled:
        raise PlainLoopError("it refuses no index")
    for each in spoiled:
        ensemble = each.ensemble()
        answer = None
        with suppress(Exception):  # it may refuse in any way it likes
            answer = each.run_ensemble(member_forward(ensemble), ensemble, each.stacked_minibatches)
        assert answer is None, (
            f"member {PERTURBED_MEMBER}: an index out of range gets an answer; the plain module refuses it"
        )


def meta_base(subject: Subject) -> None:
    """A base module on meta, as PyTorch's tutorial has it, computes with the stacked state."""
    call = getattr(subject.implementation, "functional_call", None)
    if call is None:
        raise PlainLoopError("the implementation has no functional_call")
    expected = subject.run_loop(model_outputs)
    ensemble = subject.ensemble()
    base = copy.deepcopy(subject.models[0]).to("meta")

    def on_meta(params: Any, buffers: Any, x: tuple[Any, ...]) -> Any:
        return output_tensors(call(base, (params, buffers), x))

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
