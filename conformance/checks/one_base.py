"""Check of state that is neither parameter nor buffer, of which an ensemble has member 0's alone."""

import torch

from conformance.checks.calls import split_arguments
from conformance.checks.outputs import model_outputs
from conformance.checks.subject import Subject
from conformance.checks.values import output_tensors
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import PlainLoopError
from conformance.reference.compatibility import are_equal
from conformance.utils.held_objects import own_attributes
from conformance.utils.module_state import state_of
from conformance.utils.pytree import tree_map

MOST = 3  # attributes that are named


def one_base(subject: Subject) -> None:
    """Check that member 0 with another member's parameters and buffers gives what that member gives; without vmap."""
    call = getattr(subject.implementation, "functional_call", None)
    if call is None:
        raise PlainLoopError("the implementation provides no functional_call")
    unlike = subject.unlike()
    if unlike:
        raise PlainLoopError(f"the members are not alike: {unlike}")
    expected = subject.run_loop(model_outputs)
    count = len(subject.models)
    # A copy for each member, since a call may leave something in it.
    bases = subject.select([0] * count).models if subject.copied else subject.models[:1] * count
    results = []
    for base, (model, x) in zip(bases, subject.pairs, strict=True):
        state = {name: tensor.detach().clone() for name, tensor in state_of(model).items()}
        with subject.fixed_seed():
            out = output_tensors(call(base, state, *split_arguments(x)))
        results.append(tuple(each.detach() for each in out))
    try:
        assert_members_close(tree_map(lambda *leaves: torch.stack(leaves), *results), expected)
    except AssertionError as error:
        raise AssertionError(f"{error}; {_describe_difference(subject)}") from error


def _describe_difference(subject: Subject) -> str:
    """Return a sentence about what is neither parameter nor buffer and differs between members."""
    names = differing_attributes(subject)
    if not names:
        return "the members differ in something that is neither parameter nor buffer, and member 0's counts for all"
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"the members differ in {', '.join(names[:MOST])}{more}, no parameter or buffer: member 0's counts for all"


def differing_attributes(subject: Subject) -> list[str]:
    """Return the paths of attributes that differ between a member and member 0."""
    first, *others = [
        {f"{path}.{name}" if path else name: value for path, name, value in own_attributes(model)}
        for model in subject.models
    ]
    return [name for name, value in first.items() if any(_differ(value, other.get(name)) for other in others)]


def _differ(one: object, other: object) -> bool:
    try:
        return not are_equal(one, other)
    except Exception:  # noqa: BLE001 - objects that can't be compared, such as packed weights, may differ
        return True
