"""Does activation checkpointing work in a member and around an ensemble?"""

from functools import partial

import pytest
import torch
import torch.utils.checkpoint

from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import LayerNormMLP
from conformance.cases.side_effects import make_minibatches, output_and_gradients, sum_of_squares
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.workloads.supervised import ensemble_gradients


class Checkpointed(LayerNormMLP):
    """A LayerNormMLP with activation checkpointing."""

    def __init__(self, use_reentrant: bool) -> None:
        super().__init__()
        self.use_reentrant = use_reentrant

    def forward(self, x):
        return torch.utils.checkpoint.checkpoint(super().forward, x, use_reentrant=self.use_reentrant)


@pytest.mark.requirement("purity.checkpoint")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_a_checkpoint_in_a_member_is_refused(implementation, device, data):
    models = members(partial(Checkpointed, False), MEMBERS, device=device, dtype=torch.float64)
    x, _ = make_minibatches(data, device)
    ensemble = Ensemble(implementation, models)

    with unchanged(*models), refuses("checkpoint|escaped|saved tensor hooks|SaveInputs"):
        ensemble.map(lambda *args: sum_of_squares(ensemble.member(*args)), x, data=data).sum().backward()


@pytest.mark.requirement("purity.checkpoint_under_grad")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize("use_reentrant", [True, False], ids=["reentrant", "not-reentrant"])
def test_a_checkpoint_in_a_member_is_refused_under_grad(implementation, device, data, use_reentrant):
    models = members(partial(Checkpointed, use_reentrant), MEMBERS, device=device, dtype=torch.float64)
    ensemble = Ensemble(implementation, models)

    with unchanged(*models), refuses("setup_context|saved tensor hooks|SaveInputs"):
        ensemble.map(
            torch.func.grad(lambda *args: sum_of_squares(ensemble.member(*args))),
            make_minibatches(data, device)[0],
            data=data,
        )


@pytest.mark.requirement("purity.checkpoint_reentrant")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_a_reentrant_checkpoint_in_a_member_is_refused(implementation, device, data):
    models = members(partial(Checkpointed, True), MEMBERS, device=device, dtype=torch.float64)
    ensemble = Ensemble(implementation, models)

    with unchanged(*models), refuses("setup_context"):
        ensemble(make_minibatches(data, device)[0], data)


@pytest.mark.requirement("purity.checkpoint_without_gradients")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_without_gradients_a_checkpoint_changes_nothing(implementation, device, data):
    models = members(partial(Checkpointed, False), MEMBERS, device=device, dtype=torch.float64)
    x, inputs = make_minibatches(data, device)
    expected = loop(lambda model, row: model(row), models, inputs)
    ensemble = Ensemble(implementation, models)

    with torch.no_grad():
        out = ensemble(x, data)

    assert_distinct(*out)
    assert_members_close(out, expected)


@pytest.mark.requirement("purity.checkpoint_around")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
@pytest.mark.parametrize("use_reentrant", [True, False], ids=["reentrant", "not-reentrant"])
def test_a_checkpoint_around_the_ensemble_gives_the_gradients_of_the_loop(implementation, device, data, use_reentrant):
    models = members(LayerNormMLP, MEMBERS, device=device, dtype=torch.float64)
    x, inputs = make_minibatches(data, device)
    expected = loop(output_and_gradients, models, inputs)
    ensemble = Ensemble(implementation, models)

    # The reentrant kind needs an input that requires gradients.
    out = torch.utils.checkpoint.checkpoint(
        lambda x: ensemble(x, data), x.requires_grad_(), use_reentrant=use_reentrant
    )
    sum_of_squares(out).backward()

    assert_members_close({"out": out, "gradients": ensemble_gradients(ensemble)}, expected, "result")
