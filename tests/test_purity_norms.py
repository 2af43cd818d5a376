"""Do BatchNorm and InstanceNorm keep each member's statistics as the loop does?"""

from functools import partial

import pytest
import torch

from conformance.cases.data import OWN_AND_SHARED, SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.side_effects import make_normalization
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.workloads.forward import forward

SHAPES = {
    "BatchNorm1d": (3,),
    "BatchNorm2d": (3, 2, 4),
    "BatchNorm3d": (3, 2, 1, 4),
    "InstanceNorm1d": (3, 4),
    "InstanceNorm2d": (3, 2, 4),
    "InstanceNorm3d": (3, 2, 1, 4),
}
OPTIONS = {
    "default": {},
    "slow": {"momentum": 0.01},
    "fast": {"momentum": 0.7},
    "still": {"momentum": 0.0},
    "last": {"momentum": 1.0},
    "plain": {"affine": False},
    "eps": {"eps": 0.5},
    "untracked": {"track_running_stats": False},
}
TRACKED = {"track_running_stats": True, "affine": True}
CASES = {
    **{f"BatchNorm1d-{key}": ("BatchNorm1d", options) for key, options in OPTIONS.items()},
    **{f"{kind}-fast": (kind, {"momentum": 0.7, **TRACKED}) for kind in SHAPES if kind != "BatchNorm1d"},
    "InstanceNorm2d-untracked": ("InstanceNorm2d", {"affine": True}),
}
cases = pytest.mark.parametrize(("kind", "options"), CASES.values(), ids=CASES)
batch_norms = pytest.mark.parametrize("kind", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"])
CALLS = 3


def made(kind, options, device, train):
    models = [
        model.train(train) for model in members(partial(make_normalization, kind, options), MEMBERS, device=device)
    ]
    return models, draw(MEMBERS, CALLS, SAMPLES, *SHAPES[kind], device=device) * 2 + 1


def in_turn(model, xs):
    return {"out": [model(x) for x in xs], "buffers": dict(model.named_buffers())}


def assert_norms(implementation, models, xs):
    """Assert that each call's outputs and the final statistics are the loop's, and return the statistics."""
    expected = loop(in_turn, models, list(xs))
    ensemble = Ensemble(implementation, models)

    with unchanged(*models):
        outs = [ensemble(xs[:, call]) for call in range(CALLS)]

    assert_distinct(*outs[-1])
    assert_members_close({"out": outs, "buffers": ensemble.buffers}, expected, "result")
    return ensemble.buffers


@pytest.mark.requirement("purity.norms_in_training")
@cases
def test_in_training_each_member_keeps_its_own_statistics(implementation, device, kind, options):
    models, xs = made(kind, options, device, train=True)

    buffers = assert_norms(implementation, models, xs)

    for tensor in buffers.values():
        assert_distinct(*tensor)


@pytest.mark.requirement("purity.norms_in_eval")
@cases
def test_in_eval_mode_each_member_uses_its_statistics_and_keeps_them(implementation, device, kind, options):
    models, xs = made(kind, options, device, train=False)
    before = {name: torch.stack([model.get_buffer(name) for model in models]) for name, _ in models[0].named_buffers()}

    buffers = assert_norms(implementation, models, xs)

    assert_same(buffers, before, "buffer")


@pytest.mark.requirement("purity.norms_cumulative")
@batch_norms
def test_without_momentum_each_member_averages_over_its_calls(implementation, device, kind):
    models, xs = made(kind, {"momentum": None}, device, train=True)
    for model in models:
        model.reset_running_stats()

    assert_norms(implementation, models, xs)


@pytest.mark.requirement("purity.norms_cumulative_in_eval")
@batch_norms
def test_without_momentum_eval_mode_works(implementation, device, kind):
    models, xs = made(kind, {"momentum": None}, device, train=False)

    assert_norms(implementation, models, xs)


@pytest.mark.requirement("purity.norms_of_shared_statistics")
@batch_norms
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_shared_statistics_are_not_written_in_training(implementation, device, kind, data):
    models, xs = made(kind, {}, device, train=True)
    ensemble = Ensemble(implementation, models)
    shared = {name: tensor[0].clone() for name, tensor in ensemble.buffers.items()}
    before = {name: shared[name].clone() for name in ("running_mean", "running_var")}
    x = xs[:, 0] if data == 0 else xs[0, 0]

    with refuses("running_mean"):
        ensemble.vmap(scaled_member(ensemble), (0, None, data))(ensemble.params, shared, x)

    assert_same({name: shared[name] for name in before}, before)


def scaled_member(ensemble):
    """Call the member on its input times its mapped weight, so that the norm's input is mapped."""

    def member(params, buffers, x):
        return ensemble.member(params, buffers, x * params["weight"].mean())

    return member


@pytest.mark.requirement("purity.norms_of_shared_statistics_in_eval")
@batch_norms
def test_shared_statistics_serve_all_members_in_eval_mode(implementation, device, kind):
    models, xs = made(kind, {}, device, train=False)
    for model in models:
        model.load_state_dict({**model.state_dict(), **dict(models[2].named_buffers())})
    expected = loop(forward, models, list(xs[:, 0]))
    ensemble = Ensemble(implementation, models)
    shared = {name: tensor[2].clone() for name, tensor in ensemble.buffers.items()}

    out = ensemble.vmap(ensemble.member, (0, None, 0))(ensemble.params, shared, xs[:, 0])

    assert_members_close(out, expected)
