"""The form in which a model is checked: as a copy in float64, or as it is where a copy gives another result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.calls import call_model
from conformance.checks.subject import SEED
from conformance.checks.values import output_tensors
from conformance.devices.probe import finest_dtype
from conformance.utils import rng
from conformance.utils.module_state import copy_module, move_module, move_tensor, state_of
from conformance.utils.pytree import is_inexact, tree_map
from conformance.utils.text import describe_error, one_line

# The largest difference that a dtype's rounding is thought to make, as a part of the largest number: far above the
# error of a layer in bfloat16, and far below the effect of a lost imaginary part or of another formula.
ROUNDING = 0.1
# The same between two calls in one dtype, which may sum in another order.
ORDER = 1e-3
LONG = 160  # characters of an error that is a reason

Draw = Callable[[torch.dtype], Any]


@dataclass(frozen=True)
class Conversion:
    """The form in which a model is checked.

    `converted`: in float64, else in its own dtype. `copied`: copies of the members, else the members themselves.
    `reason`: why they are not converted or not copied. `problem`: why no check means anything, or None.
    """

    converted: bool = True
    copied: bool = True
    reason: str = ""
    problem: str | None = None

    @property
    def sentence(self) -> str:
        """The reason and how the model is checked instead; empty if it is converted and copied."""
        if self.problem or self.converted:
            return self.problem or ""
        form = "" if self.copied else " uncopied,"
        return f"checked as it is,{form} in its own dtype, with a wider budget: {self.reason}"


def choose_conversion(model: nn.Module, draw: Draw) -> Conversion:
    """Return the form in which a model is checked; `draw(dtype)` makes a minibatch.

    Copies of the model are called, and the model itself at most once.
    """
    empty = [name for name, each in state_of(model).items() if each.is_meta]
    if empty:
        return Conversion(problem=f"{empty[0]} is on the meta device and holds no numbers: give it some first")
    try:
        copies = [copy_module(model) for _ in range(3)]
    except Exception as error:  # noqa: BLE001 - what the model holds may raise anything
        return Conversion(converted=False, copied=False, reason=f"it can't be copied: {_said(error)}")
    x = draw(input_dtype(model, draw))
    own, again = _call(copies[0], x), _call(copies[1], x)
    if own.error or again.error:
        return Conversion()  # each check says why the plain module fails
    made = [name for name in state_of(copies[0]) if name not in state_of(model)]
    if made:
        return Conversion(problem=f"the first call makes {made[0]}: call the model once before it is ensembled")
    if not _are_close(own, again, ORDER):
        return Conversion(problem="the plain module gives another result at its second call, from the same seed")
    return _compare_copies(model, copies[2], x, own)


def _compare_copies(model: nn.Module, copy: nn.Module, x: Any, own: "_Call") -> Conversion:
    dtype = finest_dtype(device_of(model))
    name = dtype_name(dtype)
    exact = _call_converted(copy, x, dtype)
    if not _are_close(own, _call_original(model, x), ORDER):
        return Conversion(converted=False, copied=False, reason="a deep copy of it gives another result")
    if exact.error:
        return Conversion(converted=False, reason=f"a copy in {name} fails: {exact.error}")
    # Other numbers are drawn in another dtype.
    if not own.draws and not _are_close(own, exact, ROUNDING):
        return Conversion(converted=False, reason=f"a copy in {name} gives another result")
    return Conversion()


def own_dtypes(models: Sequence[nn.Module]) -> list[torch.dtype]:
    """Return the dtypes of the inexact parameters and buffers, in their order; torch's default if there are none."""
    found = dict.fromkeys(each.dtype for model in models for each in state_of(model).values() if is_inexact(each))
    return list(found) or [torch.get_default_dtype()]


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name without "torch."."""
    return str(dtype).removeprefix("torch.")


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's first tensor; the CPU if it has none."""
    return next((each.device for each in state_of(model).values()), torch.device("cpu"))


def input_dtype(model: nn.Module, draw: Draw) -> torch.dtype:
    """Return the dtype of floating inputs that the model takes: the first of its own that works, or torch's default."""
    candidates = list(dict.fromkeys([*map(_real, own_dtypes([model])), torch.get_default_dtype()]))
    try:
        return next(dtype for dtype in candidates if not _call(copy_module(model), draw(dtype)).error)
    except Exception:  # noqa: BLE001 - none works, or what the model holds refuses to be copied
        return candidates[0]


def _real(dtype: torch.dtype) -> torch.dtype:
    return {torch.complex128: torch.float64, torch.complex64: torch.float32}.get(dtype, dtype)


@dataclass(frozen=True)
class _Call:
    """The output tensors of a call, or its error; and whether it drew random numbers."""

    outputs: tuple[Tensor, ...] = ()
    error: str = ""
    draws: bool = False


def _call(model: nn.Module, x: Any) -> _Call:
    """Call the model from a fixed seed, on a copy of the minibatch."""
    device = device_of(model)
    kept = rng.state(device)
    try:
        with rng.seeded_libraries(SEED):
            rng.seed(device, SEED)
            before = rng.state(device)
            out = output_tensors(call_model(model, tree_map(lambda leaf: _moved(leaf, device, None), x)))
            after = rng.state(device)
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        return _Call(error=_said(error))
    finally:
        rng.restore(kept)
    drew = any(not torch.equal(old, after[kind]) for kind, old in before.items())
    return _Call(tuple(each.detach() for each in out), draws=drew)


def _call_original(model: nn.Module, x: Any) -> _Call:
    """Call the user's own module, and give its parameters and buffers back the numbers that they had."""
    before = {name: each.detach().clone() for name, each in state_of(model).items()}
    try:
        return _call(model, x)
    finally:
        with torch.no_grad():
            now = state_of(model)
            for name in before.keys() & now.keys():
                now[name].copy_(before[name])


def _call_converted(copy: nn.Module, x: Any, dtype: torch.dtype) -> _Call:
    device = device_of(copy)
    try:
        return _call(move_module(copy, device, dtype), tree_map(lambda leaf: _moved(leaf, device, dtype), x))
    except Exception as error:  # noqa: BLE001 - a tensor may refuse the conversion
        return _Call(error=_said(error))


def _moved(leaf: Any, device: torch.device, dtype: torch.dtype | None) -> Any:
    return move_tensor(leaf, device, dtype).clone() if isinstance(leaf, Tensor) else leaf


def _are_close(one: _Call, other: _Call, tolerance: float) -> bool:
    """Return whether two calls agree: in the shapes, in which numbers are complex, and nearly in the numbers."""
    return (
        not other.error
        and len(one.outputs) == len(other.outputs)
        and all(_is_close(*pair, tolerance) for pair in zip(one.outputs, other.outputs, strict=True))
    )


def _is_close(one: Tensor, other: Tensor, tolerance: float) -> bool:
    if one.shape != other.shape or one.is_complex() != other.is_complex() or one.layout != other.layout:
        return False
    # An index may jump where two numbers are nearly equal.
    if not is_inexact(one) or one.layout != torch.strided:
        return True
    exact = torch.complex128 if one.is_complex() else torch.float64
    one, other = one.to("cpu", exact), other.to("cpu", exact)
    if not torch.equal(one.isfinite(), other.isfinite()):
        return False
    one, other = (each[each.isfinite()] for each in (one, other))
    return not one.numel() or bool((one - other).abs().max() <= tolerance * one.abs().max())


def _said(error: Exception) -> str:
    return one_line(describe_error(error).partition("\n")[0], LONG)
