"""Are mistakes in the arguments of `conformance.testing` reported before anything runs?"""

import pytest
import torch
from torch import nn

from conformance.testing import REQUIREMENTS, check_ensemble, ensemble_checks, floats, parametrize_with_checks


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expected_failures": {"grad": "so"}}, "unknown requirement 'grad'; did you mean 'modules.grad'"),
        ({"expected_failures": {"modules.grad": " "}}, "the reason for modules.grad is empty"),
        ({"accept": ["vmap_embedding_reads"]}, "accept: unknown id .*; did you mean 'vmap_embedding_reads_neighbours'"),
        ({"only": ["modules.buffer"]}, "only: unknown requirement .*; did you mean 'modules.buffers'"),
        ({"skip": REQUIREMENTS}, "only, skip: they leave no requirement"),
        ({"members": 1}, "members: expected at least 2, got 1"),
        ({"dtype": torch.int64}, "dtype: expected a floating dtype, got torch.int64"),
        ({"mode": "test"}, "mode: invalid choice 'test'"),
        ({"seed": -1}, "seed: expected 0 to"),
    ],
    ids=["unknown", "no-reason", "accept", "only", "skip-all", "members", "dtype", "mode", "seed"],
)
def test_a_mistake_in_the_options_is_reported_before_anything_runs(options, message):
    for ask in (check_ensemble, parametrize_with_checks, ensemble_checks):
        with pytest.raises(ValueError, match=message):
            ask(mlp, [floats(7, 3)], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"on_fail": "ignore"}, "on_fail: invalid choice 'ignore'"), ({"on_skip": "raise"}, "on_skip: invalid choice")],
    ids=["on_fail", "on_skip"],
)
def test_a_mistake_about_reporting_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        check_ensemble(mlp, [floats(7, 3)], **options)


@pytest.mark.parametrize(
    ("factory", "message"),
    [(mlp(), "got Sequential"), (None, "got NoneType"), (lambda: "mlp", "expected it to return a torch.nn.Module")],
    ids=["instance", "none", "returns-none"],
)
def test_what_is_no_factory_is_refused(factory, message):
    with pytest.raises(TypeError, match=message):
        check_ensemble(factory, [floats(7, 3)])


def test_a_string_is_no_collection_of_ids():
    with pytest.raises(TypeError, match="accept: expected a collection of ids, got the string"):
        check_ensemble(mlp, [floats(7, 3)], accept="modules.grad")


def test_members_that_do_not_differ_are_refused():
    one = mlp()

    with pytest.raises(ValueError, match=r"members \d and \d of Sequential have the same state"):
        check_ensemble(lambda: one, [floats(7, 3)])


@pytest.mark.parametrize(
    ("inputs", "options", "error", "message"),
    [
        ([floats(7, 3)], {"batch": 3}, ValueError, "batch: it applies to plain tensors only"),
        (torch.zeros(4, 3), {"batch": 5}, ValueError, "batch: expected 1 to 4"),
        (torch.zeros(4, 3), {"batch": 0}, ValueError, "batch: expected 1 to 4"),
        (torch.zeros(1, 3), {}, ValueError, r"at least 2 samples in dimension 0 .* got shape \(1, 3\)"),
        ({"x": floats(7, 3)}, {}, TypeError, "inputs: expected a list or tuple .* got dict"),
        (None, {}, TypeError, "inputs: missing"),
    ],
    ids=["batch-of-input", "large", "empty", "one-sample", "dict", "missing"],
)
def test_inputs_that_make_no_sense_are_refused(inputs, options, error, message):
    for ask in (check_ensemble, parametrize_with_checks, ensemble_checks):
        with pytest.raises(error, match=message):
            ask(mlp, inputs, **options)


@pytest.mark.parametrize(
    ("models", "inputs", "error", "message"),
    [
        ([], None, ValueError, "models: expected at least one"),
        ({"a": mlp}, None, TypeError, r"models: expected \(factory, inputs\) or .* got function"),
        ([(mlp,)], None, TypeError, r"models: expected \(factory, inputs\) or .* got tuple"),
        ([(mlp, [])], [], TypeError, "inputs, kwargs: with several models, each has its own"),
    ],
    ids=["none", "no-tuple", "short", "inputs-twice"],
)
def test_models_that_make_no_sense_are_refused(models, inputs, error, message):
    with pytest.raises(error, match=message):
        ensemble_checks(models, inputs)


def test_a_mistake_in_the_expected_failures_of_one_model_is_reported_at_once():
    with pytest.raises(ValueError, match="expected_failures: unknown requirement 'backward'"):
        ensemble_checks({"mlp": (mlp, [floats(7, 3)])}, expected_failures=lambda name: {"backward": name})


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="memmbers"):
        ensemble_checks(mlp, [floats(7, 3)], memmbers=3)
