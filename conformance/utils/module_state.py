"""The parameters and buffers of a module: by name, copied, moved and converted."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from conformance.utils.pytree import is_inexact


def all_named_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield `(name, parameter)` in the order of `named_parameters`; tied names hold the same parameter.

    `named_parameters(remove_duplicate=False)` does the same, but only since torch 2.0.
    """
    return _named(model, "_parameters")


def all_named_buffers(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield `(name, buffer)` in the order of `named_buffers`; tied names hold the same buffer."""
    return _named(model, "_buffers")


def _named(model: nn.Module, kind: str) -> Iterator[tuple[str, Any]]:
    for path, module in model.named_modules(remove_duplicate=False):
        for name, tensor in getattr(module, kind).items():
            if tensor is not None:
                yield f"{path}.{name}" if path else name, tensor


def gradients_in(model: nn.Module) -> dict[str, Tensor | None]:
    """Return the gradients of a model's parameters by name, without frozen parameters."""
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}


def move_module(model: nn.Module, device: torch.device | str, dtype: torch.dtype | None = None) -> nn.Module:
    """`model`, changed in place: on that device, and if a dtype is given, its inexact tensors in that precision."""
    return convert_module(model, lambda tensor: move_tensor(tensor, device, dtype))


def move_tensor(tensor: Tensor, device: torch.device | str, dtype: torch.dtype | None = None) -> Tensor:
    """Return the tensor on that device, in `dtype_in(dtype, tensor)` if a dtype is given; a meta tensor stays there."""
    return tensor.to(
        device=tensor.device if tensor.is_meta else device,
        dtype=dtype_in(dtype, tensor) if dtype is not None else None,
    )


def dtype_in(dtype: torch.dtype, tensor: Tensor) -> torch.dtype:
    """Return the dtype of a tensor in a model of this dtype: complex if it is complex, its own for integers."""
    if not is_inexact(tensor):
        return tensor.dtype
    if tensor.is_complex() and not dtype.is_complex:
        return torch.complex128 if dtype == torch.float64 else torch.complex64
    return dtype


def convert_module(model: nn.Module, convert: Callable[[Tensor], Tensor]) -> nn.Module:
    """`model`, changed in place: each parameter and buffer is what `convert` makes of it, and tied ones stay tied.

    `Module.to` unties them on devices whose tensors can't take the place of the CPU's, such as a PrivateUse1 backend.
    """
    made: dict[int, nn.Parameter] = {}
    for owner in model.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if id(parameter) not in made:
                made[id(parameter)] = _changed(parameter, convert(parameter.detach()))
            setattr(owner, name, made[id(parameter)])
        for name, buffer in owner.named_buffers(recurse=False):
            setattr(owner, name, convert(buffer))
    return model


def _changed(parameter: nn.Parameter, tensor: Tensor) -> nn.Parameter:
    """The very parameter with that value, as `Module.to` has it, or where that is impossible, a new one."""
    if not torch._has_compatible_shallow_copy_type(parameter, tensor):  # noqa: SLF001 - what Module.to asks
        return nn.Parameter(tensor, parameter.requires_grad)
    parameter.data = tensor
    return parameter


def copy_module(model: nn.Module) -> nn.Module:
    """A deep copy. A module is made of empty dicts of hooks above all, which copy.deepcopy would each take apart."""
    empty = (
        each for module in model.modules() for each in vars(module).values() if isinstance(each, dict) and not each
    )
    return copy.deepcopy(model, {id(each): type(each)() for each in empty})


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and then buffers by name, each tensor once: the very tensors, not copies."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
