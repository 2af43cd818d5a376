"""Checks of a model that draws random numbers, where they can't be the plain loop's one by one.

In vmap's mode "same" a member may draw in another order than the plain module, and some operations refuse it. What is
promised is judged: mode "error" refuses, and mode "different" gives each member draws of its own, from the plain
module's distribution.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from conformance.checks import model_checks
from conformance.checks.distribution import assert_distributed_as_loop, member_numbers
from conformance.checks.dropout import Site, dropout_sites, one_dropout_each
from conformance.checks.gradients import apply_transform, as_leaves, grad_of_call, jvp_of_call, model_gradients
from conformance.checks.outputs import ensemble_gradients, member_forward, model_outputs
from conformance.checks.subject import Subject
from conformance.numerics.assertions import REFUSALS
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.text import describe_error

DIFFERENT = "different"
# Places of dropout that are asked one by one; a larger model repeats its layers.
MOST_SITES = 8


def own_minibatch(subject: Subject) -> None:
    """Check the distribution of the outputs when each member has its own minibatch."""
    ensemble = subject.ensemble()
    run = partial(_map, subject, member_forward(ensemble), ensemble, subject.stacked_minibatches)
    assert_distributed_as_loop(subject, model_outputs, run)


def shared_minibatch(subject: Subject) -> None:
    """Check the distribution of the outputs when all members share one minibatch."""
    shared = subject.select(range(len(subject.models)))
    shared.minibatches = [subject.minibatches[0]] * len(subject.models)
    ensemble = shared.ensemble()
    run = partial(_map, shared, member_forward(ensemble), ensemble, shared.minibatches[0], in_dims=(0, 0, None))
    assert_distributed_as_loop(shared, model_outputs, run)


def backward(subject: Subject) -> None:
    """Check the distribution of the gradients that backward gives."""
    ensemble = subject.ensemble()

    def run() -> Any:
        x = as_leaves(subject.stacked_minibatches)
        return ensemble_gradients(subject, ensemble, x, _map(subject, member_forward(ensemble), ensemble, x))

    assert_distributed_as_loop(subject, model_gradients, run)


def grad(subject: Subject) -> None:
    """Check the distribution of the gradients that torch.func.grad gives inside vmap."""
    _check_transform(subject, grad_of_call)


def forward_mode(subject: Subject) -> None:
    """Check the distribution of the outputs and tangents that torch.func.jvp gives inside vmap."""
    _check_transform(subject, jvp_of_call)


def modes(subject: Subject) -> None:
    """Check the distribution of the outputs in the other mode."""
    own_minibatch(subject.in_mode(not subject.models[0].training))


def out_of_range(subject: Subject) -> None:
    """Check that the ensemble refuses an index that the plain module refuses."""
    model_checks.out_of_range(subject.drawing(DIFFERENT))


def randomness(subject: Subject) -> None:
    """Check that the modes "error" and "different" keep their promises, and each dropout by itself."""
    model_checks.randomness(subject)
    own_minibatch(subject)
    if len(dropout_sites(subject.models[0])) > 1:
        for (path, name), lone in _single_dropouts(subject):
            _assert_members_draw_apart(lone, f"{path}.{name}".lstrip("."))


def behavior_of_same(subject: Subject) -> str:
    """Return what mode "same" does for a model that draws, as the end of a sentence about it."""
    try:
        model_checks.own_minibatch(subject)
    except PlainLoopError as error:
        return f"can't be compared: {error}"
    except AssertionError:
        return "draws other numbers than the plain loop, the same for all members"
    except REFUSALS as error:
        return f"is refused: {describe_error(error)}"
    return "draws the same numbers as the plain loop"


DISTRIBUTIONS: Mapping[str, Callable[[Subject], None]] = MappingProxyType(
    {check.__name__: check for check in (own_minibatch, shared_minibatch, backward, grad, forward_mode, modes)}
)


def _check_transform(subject: Subject, transform: Callable[..., Any]) -> None:
    ensemble = subject.ensemble()
    func = partial(transform, ensemble.member)
    run = partial(_map, subject, func, ensemble, subject.stacked_minibatches)
    assert_distributed_as_loop(subject, partial(apply_transform, transform), run)


def _map(subject: Subject, *args: Any, **options: Any) -> Any:
    return subject.map_members(*args, randomness=DIFFERENT, **options)


def _single_dropouts(subject: Subject) -> Iterator[tuple[Site, Subject]]:
    """Yield each place of dropout, with twins of the first member that have no other."""
    twins = subject.select([0] * len(subject.models))
    for (site, model), _ in zip(one_dropout_each(twins.models[0]), range(MOST_SITES), strict=False):
        lone = twins.select([])
        lone.models, lone.minibatches = [model] * len(twins.models), twins.minibatches
        if lone.is_random:
            yield site, lone


def _assert_members_draw_apart(lone: Subject, name: str) -> None:
    ensemble = lone.ensemble()
    with lone.fixed_seed():
        out = _map(lone, member_forward(ensemble), ensemble, lone.stacked_minibatches)
    first, *others = member_numbers(out, len(lone.models))
    # Two members may draw the same few numbers by chance; all of them do not.
    assert any(not first.equal(other) for other in others), f'in mode "different" all members draw the same in {name}'
