"""Do tied weights stay tied in the stacked state?"""

import copy

import pytest
import torch

from conformance.cases.data import SAMPLES, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import TiedNet
from conformance.numerics.assertions import assert_distinct, assert_members_close, may_refuse
from conformance.numerics.plain_loop import loop
from conformance.workloads.forward import forward


@pytest.mark.requirement("stacking.tied")
def test_tied_weights_are_stacked_once_and_used_everywhere(implementation, device, dtype):
    models = members(TiedNet, MEMBERS, device=device, dtype=dtype)
    given = draw_tokens(MEMBERS, SAMPLES, device=device)
    fmodel, params, buffers = implementation.combine(models)

    out = implementation.vmap(fmodel)(params, buffers, given)

    assert len(params) == len(list(models[0].parameters())) == 3
    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, list(given)))


def on_meta_base(implementation, models, given, **options):
    """Call a base module without storage with each member's slice, as the tutorial does."""
    base = copy.deepcopy(models[0]).to("meta")
    _, params, buffers = implementation.combine(models)

    def fmodel(params, buffers, x):
        return implementation.functional_call(base, (params, buffers), (x,), **options)

    with torch.no_grad():
        return implementation.vmap(fmodel)(params, buffers, given)


# `.to("meta")` unties, functional_call fills one of the two names, and a product of a CPU tensor with a meta tensor
# returns uninitialized memory. The seeds are used in one test only: memory that another test has freed could still
# hold the right numbers.
@pytest.mark.requirement("stacking.tied_meta_base")
def test_tied_weights_on_the_meta_base_of_the_tutorial(implementation, device):
    models = members(TiedNet, MEMBERS, seed=1801, device=device)
    given = draw_tokens(MEMBERS, 19, seed=1801, device=device)

    assert_right_or_refused(lambda: on_meta_base(implementation, models, given), models, given)


@pytest.mark.requirement("stacking.tied_meta_base_strict")
def test_strict_notices_weights_that_came_apart(implementation, device):
    models = members(TiedNet, MEMBERS, seed=1802, device=device)
    given = draw_tokens(MEMBERS, 19, seed=1802, device=device)

    assert_right_or_refused(lambda: on_meta_base(implementation, models, given, strict=True), models, given)


def assert_right_or_refused(call, models, given):
    # The loop runs after the ensemble: memory that the loop has freed could still hold the right numbers.
    with may_refuse("head.weight|embedding.weight"):
        assert_members_close(call(), loop(forward, models, list(given)))
