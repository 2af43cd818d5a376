"""The layers of a call, from a single member up to the call as it was made; the first that differs is to blame."""

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from conformance.checks.values import floating_inputs, weighted_sum
from conformance.diagnosis.recorder import RecordedCall, RecordedStack, Recorder, detached_copy
from conformance.reference.vmap import slice_args, spread_dims
from conformance.reference.vmap import vmap as reference_vmap
from conformance.utils.pytree import describe_structure, is_inexact, leaves, tree_map
from conformance.utils.text import describe_error

# Allowed difference, in units of the dtype's rounding of a tensor's largest number: far above the effect of another
# order of summation, and far below a wrong number.
ROUNDING = 1000.0
FUNCTIONAL_CALL = "functional_call on one member's slice"
STACKED = "the loop over the stacked state"
FLOAT64 = "vmap on the CPU in float64"
AS_RUN = "vmap as run"


@dataclass(frozen=True)
class LayerDifference:
    """The first layer that differs from the one below it, and how it differs."""

    layer: str
    message: str

    def __str__(self) -> str:
        return f"{self.layer}: {self.message}"


def first_difference(recorder: Recorder) -> LayerDifference | None:
    """Return the first layer of the last call that differs from the one below it, or None."""
    for layer, below, here in _layers(recorder):
        message = _difference(below, here)
        if message is not None:
            return LayerDifference(layer, message)
    return None


Compute = Callable[[], Any]


def _layers(recorder: Recorder) -> Iterator[tuple[str, Compute, Compute]]:
    """Yield each layer's name, a function for the result of the layer below, and one for its own, in one precision."""
    call, stack = recorder.call, recorder.stack
    assert call is not None, "no vmap call was recorded"
    if stack is not None:
        for i, model in enumerate(stack.models):
            x = _member_inputs(stack, call, i)
            if x is None:
                break
            plain = partial(_call_member, model, x)
            own = (
                _like_stack(stack.params, model.named_parameters()),
                _like_stack(stack.buffers, model.named_buffers()),
            )
            yield FUNCTIONAL_CALL, plain, partial(stack.fmodel, *tree_map(detached_copy, own), *x)
            slices = [tree_map(lambda leaf: leaf[i], each) for each in (stack.params, stack.buffers)]  # noqa: B023
            yield STACKED, plain, partial(stack.fmodel, *slices, *x)
    vmap = partial(recorder.implementation.vmap, call.func, **call.options)
    loop = partial(reference_vmap, call.func, **call.options)
    for name, inputs, options in (
        (FLOAT64, tree_map(to_cpu_float64, call.inputs), {}),
        (AS_RUN, call.inputs, {"chunk_size": call.chunk_size}),
    ):
        yield name, partial(_outputs, loop, inputs, call), partial(_outputs, partial(vmap, **options), inputs, call)
        if not _is_finite(inputs):
            continue  # some backward kernels of torch read out of bounds where a coordinate is NaN
        below, here = (partial(_gradients, each, inputs, call) for each in (loop, partial(vmap, **options)))
        yield f"{name}, its gradient", below, here


def to_cpu_float64(leaf: Any) -> Any:
    """Return a tensor on the CPU, in double precision if its dtype is inexact; other values unchanged."""
    if not isinstance(leaf, Tensor):
        return leaf
    if is_inexact(leaf):
        leaf = leaf.to(torch.complex128 if leaf.is_complex() else torch.float64)
    return leaf.cpu()


def _member_inputs(stack: RecordedStack, call: RecordedCall, i: int) -> tuple[Any, ...] | None:
    """Return the inputs of member `i`, or None if the call does not map over the stacked state."""
    own = (stack.params, stack.buffers)
    given = call.inputs[:2]
    if len(given) < len(own) or [describe_structure(each) for each in given] != [
        describe_structure(each) for each in own
    ]:
        return None
    try:
        dims = spread_dims(
            call.in_dims if isinstance(call.in_dims, tuple) else (call.in_dims,) * len(call.inputs),
            call.inputs,
            "in_dims",
        )
        x = slice_args(call.inputs, dims, i)[2:]
    except (ValueError, IndexError):
        return None
    for count in range(len(x), 0, -1):  # the mapped function may take more inputs than the module, e.g. a target
        try:
            _call_member(stack.models[i], x[:count])
        except Exception:  # noqa: BLE001, S112 - a module may reject inputs with any error
            continue
        return x[:count]
    return None


def _call_member(model: Any, x: tuple[Any, ...]) -> Any:
    return copy.deepcopy(model)(*tree_map(detached_copy, x))


def _like_stack(stacked: Any, named: Iterator[tuple[str, Tensor]]) -> Any:
    """Return a member's own state in the container type of the stack."""
    own = dict(named)
    return own if isinstance(stacked, dict) else tuple(own.values())


def _outputs(mapping: Callable[[], Callable[..., Any]], inputs: Any, call: RecordedCall) -> Any:
    return mapping()(*tree_map(detached_copy, inputs), **call.kwargs)


def _gradients(mapping: Callable[[], Callable[..., Any]], inputs: Any, call: RecordedCall) -> Any:
    given = tree_map(_detached_leaf, inputs)
    output = mapping()(*given, **call.kwargs)
    found = torch.autograd.grad(weighted_sum(output), floating_inputs(given), allow_unused=True)
    return [torch.zeros(()) if each is None else each for each in found]


def _is_finite(inputs: Any) -> bool:
    return all(bool(leaf.isfinite().all()) for _, leaf in leaves(inputs, "") if is_inexact(leaf))


def _detached_leaf(leaf: Any) -> Any:
    return detached_copy(leaf).requires_grad_() if is_inexact(leaf) else detached_copy(leaf)


def _difference(below: Compute, here: Compute) -> str | None:
    """Describe how the result of `here` differs from that of `below`; None if it does not or `below` fails.

    A warning is no difference, such as torch's about the performance of a slow fallback.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _compared(below, here)


def _compared(below: Compute, here: Compute) -> str | None:
    try:
        expected = below()
    except Exception:  # noqa: BLE001 - a failure of the layer below is no difference of this one
        return None
    try:
        actual = here()
    except Exception as error:  # noqa: BLE001 - any error is a difference
        return f"raises {' '.join(describe_error(error).split())}"
    if describe_structure(actual) != describe_structure(expected):
        return f"expected structure {describe_structure(expected)}, got {describe_structure(actual)}"
    pairs = zip(leaves(actual, "output"), leaves(expected, "output"), strict=True)
    return next(filter(None, (_leaf_difference(name, ours, theirs) for (name, ours), (_, theirs) in pairs)), None)


def _leaf_difference(name: str, ours: Any, theirs: Any) -> str | None:
    if not isinstance(ours, Tensor) or not isinstance(theirs, Tensor):
        return None if type(ours) is type(theirs) else f"{name}: expected {theirs!r}, got {ours!r}"
    if ours.shape != theirs.shape:
        return f"{name}: expected shape {tuple(theirs.shape)}, got {tuple(ours.shape)}"
    for attribute in ("dtype", "device"):
        actual, expected = (getattr(each, attribute) for each in (ours, theirs))
        if actual != expected:
            return f"{name}: expected {attribute} {expected}, got {actual}"
    ours, theirs = (each.detach().cpu() for each in (ours, theirs))
    if not is_inexact(ours):
        return None if torch.equal(ours, theirs) else f"{name} differs"
    wide = torch.complex128 if ours.is_complex() else torch.float64
    scale = float(torch.nan_to_num(theirs.to(wide).abs(), posinf=0).max()) if theirs.numel() else 0.0
    allowed = ROUNDING * torch.finfo(ours.dtype).eps * scale
    if torch.allclose(ours.to(wide), theirs.to(wide), rtol=0, atol=allowed, equal_nan=True):
        return None
    off = float((ours.to(wide) - theirs.to(wide)).abs().nan_to_num(torch.inf, torch.inf).max())
    return f"{name} differs by {off:.3g} from the layer below"
