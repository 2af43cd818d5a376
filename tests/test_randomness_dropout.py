"""Does dropout drop the same elements in an ensemble as in its members?"""

import pytest
import torch

from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.dropout_cases import DROPOUTS, PARTIAL_DROPOUTS
from conformance.cases.members import MEMBERS
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_same
from conformance.utils.rng import restore, state

each_dropout = pytest.mark.parametrize("dropout", DROPOUTS, ids=str)
each_splitting = pytest.mark.parametrize("dropout", PARTIAL_DROPOUTS, ids=str)
each_mode = pytest.mark.parametrize("mode", ["same", "different"])


def scaled(models, x, data):
    """Return the input of each member's dropout, (members, samples, *sample)."""
    each = x if data == 0 else [x] * len(models)
    return torch.stack([model.scale.detach() * own for model, own in zip(models, each, strict=True)])


def one_by_one(model, x, device):
    """Return the output of one module's dropout for each `x`, each from the generator's current state."""
    start, dropped = state(device), []
    for each in x:
        restore(start)
        dropped.append(model.dropout(each))
    return torch.stack(dropped)


def together(model, x):
    """Return the output of the model's dropout for all samples at once."""
    return model.dropout(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def dropped(mode, model, x, device):
    return one_by_one(model, x, device) if mode == "same" else together(model, x)


def run(implementation, models, x, data, mode):
    return Ensemble(implementation, models)(x, data, randomness=mode).detach()


def assert_drops(implementation, device, dropout, data, mode):
    """Assert that the members drop as one module does in that mode, and the generator advances as far."""
    models, x = dropout.members(device), dropout.inputs(*[MEMBERS] * (data == 0), device=device)
    start = state(device)

    actual = run(implementation, models, x, data, mode)
    end = state(device)

    restore(start)
    assert_same(actual, dropped(mode, models[0], scaled(models, x, data), device))
    assert_same(end, state(device))


@pytest.mark.requirement("randomness.dropout_same")
@each_dropout
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_in_mode_same_every_member_drops_what_one_drops(implementation, device, dropout, data):
    assert_drops(implementation, device, dropout, data, "same")


@pytest.mark.requirement("randomness.dropout_different")
@each_dropout
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_in_mode_different_members_drop_what_is_dropped_from_all_samples(implementation, device, dropout, data):
    assert_drops(implementation, device, dropout, data, "different")


@pytest.mark.requirement("randomness.dropout_different")
@each_splitting
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_in_mode_different_no_two_members_and_samples_drop_alike(implementation, device, dropout, data):
    models, x = dropout.members(device), torch.ones_like(dropout.inputs(*[MEMBERS] * (data == 0), device=device))

    actual = run(implementation, models, x, data, "different")

    lowest = actual.flatten(2).amin(-1)[..., None]
    kept = actual.flatten(2) > lowest
    assert_distinct(*kept)
    assert_distinct(*kept.transpose(0, 1))


@pytest.mark.requirement("randomness.dropout_eval")
@each_dropout
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize("mode", ["error", "same", "different"])
def test_in_eval_mode_nothing_is_dropped_or_drawn(implementation, device, dropout, data, mode):
    models, x = dropout.members(device), dropout.inputs(*[MEMBERS] * (data == 0), device=device)
    before = state(device)

    actual = run(implementation, [model.eval() for model in models], x, data, mode)

    assert_same(actual, scaled(models, x, data))
    assert_same(state(device), before)


@pytest.mark.requirement("randomness.backward")
@each_splitting
@each_mode
def test_backward_uses_the_mask_of_forward(implementation, device, dropout, mode):
    model, x = dropout.members(device)[0], dropout.inputs(MEMBERS, device=device)
    ours, theirs = (torch.ones_like(x, requires_grad=True) for _ in range(2))
    start = state(device)

    out = implementation.vmap(model.dropout, randomness=mode)(ours)
    (out * x).sum().backward()

    restore(start)
    (dropped(mode, model, theirs, device) * x).sum().backward()
    assert_same(ours.grad, theirs.grad)
    assert_same(ours.grad != 0, out > out.amin())
    assert_distinct(ours.grad != 0, torch.ones_like(x, dtype=torch.bool))


@pytest.mark.requirement("randomness.backward")
@each_splitting
@each_mode
def test_grad_inside_uses_the_mask_of_forward(implementation, device, dropout, mode):
    model, x = dropout.members(device)[0], dropout.inputs(MEMBERS, device=device)
    theirs = torch.ones_like(x, requires_grad=True)

    def weighed(ones, x):
        out = model.dropout(ones)
        return (out * x).sum(), out

    start = state(device)

    gradient, out = implementation.vmap(torch.func.grad(weighed, has_aux=True), randomness=mode)(torch.ones_like(x), x)

    restore(start)
    (dropped(mode, model, theirs, device) * x).sum().backward()
    assert_same(gradient, theirs.grad)
    assert_same(gradient != 0, out > out.amin())


@pytest.mark.requirement("randomness.mask_dtype")
@each_mode
def test_the_mask_of_a_dropout_is_boolean(implementation, device, mode):
    x = torch.ones(MEMBERS, 23, device=device)

    out, mask = implementation.vmap(lambda x: torch.native_dropout(x, 0.5, True), randomness=mode)(x)

    assert_same(mask, out > 0)
