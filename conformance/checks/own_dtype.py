"""Check of a model in its own dtypes, for what float64 hides: autocast, half precision, fixed dtypes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.outputs import ensemble_outputs, model_outputs, output_and_gradients
from conformance.checks.subject import Subject
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.budget import max_error
from conformance.numerics.plain_loop import LoopResult, PlainLoopError
from conformance.utils.module_state import move_module, move_tensor, state_of
from conformance.utils.pytree import is_inexact, leaves, tree_map

# The loop's error is measured so often before a difference counts. A tie, such as an activation at the kink of a ReLU
# or two equal logits, makes the plain loop jump in some of these draws, as it makes the ensemble jump.
DRAWS = 8
COARSEST = torch.finfo(torch.bfloat16).eps
DOUBLE = {torch.float64, torch.complex128}


def own_dtype(subject: Subject) -> None:
    """Check that outputs and gradients have the plain loop's dtypes, and its numbers up to the loop's own error.

    The members and minibatches of the subject are in the model's own dtypes. Of integers, which may jump where two
    numbers are nearly equal, the dtypes and shapes are compared. A module that draws random numbers draws others in
    another dtype, so it is checked in eval mode.
    """
    judged = subject.in_mode(False) if subject.is_random else subject
    if judged.is_random:
        raise PlainLoopError("the module draws random numbers, which differ between dtypes")
    if _dtypes(judged) <= DOUBLE:
        raise PlainLoopError("the model is in float64, as in the other checks")
    try:
        _assert_close(judged)
    except AssertionError as error:
        if not isinstance(error, PlainLoopError) and _is_wrong_in_double(judged):
            raise PlainLoopError("the numbers are wrong in float64 as well") from error
        raise


def _assert_close(judged: Subject) -> None:
    func = _without_integers(output_and_gradients)
    try:
        expected = judged.run_loop(func)
    except PlainLoopError:
        func = _without_integers(lambda model, x: {"output": model_outputs(model, x)})
        expected = judged.run_loop(func)
    with_gradients = "gradient" in expected.values[0]

    actual = tree_map(_blank_integers, ensemble_outputs(judged, with_gradients=with_gradients))

    try:
        assert_members_close(actual, expected, "result")
    except AssertionError:
        expected = judged.run_loop(func, draws=DRAWS, rounding=_coarsest_rounding(expected))
        assert_members_close(actual, expected, "result")


def _is_wrong_in_double(judged: Subject) -> bool:
    """Return whether the ensemble is wrong in float64 too, for which other checks are there."""
    try:
        double = judged.select(range(len(judged.models)))
        for model in double.models:
            move_module(model, judged.device, torch.float64)
        double.minibatches = tree_map(partial(_as_double, judged.device), double.minibatches)
        _assert_close(double)
    except PlainLoopError:
        return False
    except AssertionError:
        return True
    except Exception:  # noqa: BLE001 - a model that runs in its own dtype need not run in float64
        return False
    return False


def _as_double(device: torch.device, leaf: Any) -> Any:
    return move_tensor(leaf, device, torch.float64) if isinstance(leaf, Tensor) else leaf


def _dtypes(subject: Subject) -> set[torch.dtype]:
    """Return the dtypes of the inexact tensors among state and inputs."""
    held = [*map(state_of, subject.models), subject.minibatches]
    return {leaf.dtype for _, leaf in leaves(held, "") if is_inexact(leaf)}


def _without_integers(func: Callable[[nn.Module, Any], Any]) -> Callable[[nn.Module, Any], Any]:
    return lambda model, x: tree_map(_blank_integers, func(model, x))


def _blank_integers(leaf: Tensor) -> Tensor:
    return leaf if is_inexact(leaf) else torch.zeros_like(leaf)


def _coarsest_rounding(expected: LoopResult) -> float:
    """Return one rounding of the coarsest dtype that the loop seems to compute in; autocast may hide it."""
    found = [torch.finfo(torch.float32).eps]
    for (_, value), (_, truth) in zip(leaves(expected.values, ""), leaves(expected.truth, ""), strict=True):
        if is_inexact(value) and value.numel() and truth.any():
            error = max_error(value, truth) / float(truth.abs().max())
            found += [torch.finfo(value.dtype).eps, min(error, COARSEST)]
    return max(found)
