"""Base classes of faults in derivatives: an identity autograd function through which each member's tensors pass.

Autograd passes it in both directions: backward with cotangents and forward mode with tangents, in plain autograd and in
every transform of torch.func.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from conformance.faults.base.fault import Fault
from conformance.utils.pytree import tree_map


class DerivativeFault(Fault):
    """A fault in derivatives: override `cotangent` or `tangent`, which get one member's tensor and return another.

    `parameter` and `argument` pass tensors through the identity: by default every parameter and no argument.
    """

    size = 0

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        self.size = len(models)

        def spoiled(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            entered = {name: self.parameter(name, tensor) for name, tensor in params.items()}
            return fmodel(entered, buffers, *map(self.argument, args), **kwargs)

        return spoiled, params, buffers

    def parameter(self, name: str, tensor: Tensor) -> Tensor:  # noqa: ARG002 - for those who override it
        return through_door(self, tensor)

    def argument(self, tensor: Tensor) -> Tensor:
        return tensor

    def cotangent(self, tensor: Tensor) -> Tensor:
        return tensor

    def tangent(self, tensor: Tensor) -> Tensor:
        return tensor

    def over_members(self, mix: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
        """Apply `mix` to all members' tensors, (members, *shape), given one member's; outside vmap it does nothing."""
        return _Over.apply(tensor, mix, self.size)  # type: ignore[no-untyped-call]


def through_door(fault: Any, tensor: Tensor) -> Tensor:
    return _Door.apply(tensor, fault)  # type: ignore[no-untyped-call]


class _Door(torch.autograd.Function):
    """The identity, whose derivatives the fault changes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(tensor: Tensor, fault: Any) -> Tensor:  # noqa: ARG004
        return tensor.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG004
        ctx.fault = inputs[1]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:
        return ctx.fault.cotangent(cotangent), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        return ctx.fault.tangent(tangent)


class _Over(torch.autograd.Function):
    """A linear map over the members; its vmap rule gets all of them."""

    @staticmethod
    def forward(tensor: Tensor, mix: Any, size: int) -> Tensor:  # noqa: ARG004
        return tensor.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG004
        ctx.options = inputs[1:]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None, None]:
        return _Over.apply(cotangent, *ctx.options), None, None  # type: ignore[no-untyped-call]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return _Over.apply(tangent, *ctx.options)  # type: ignore[no-untyped-call]

    @staticmethod
    def vmap(info: Any, in_dims: Any, tensor: Tensor, mix: Any, size: int) -> tuple[Tensor, int]:
        stacked = tensor.movedim(in_dims[0], 0)
        # Another size is another level's: a Jacobian's rows, or samples.
        return (mix(stacked) if info.batch_size == size else _Over.apply(stacked, mix, size)), 0  # type: ignore[no-untyped-call]


class TransformFault(Fault):
    """A fault in a `transform` of torch.func inside vmap only: override `result`, which gets its value."""

    transform: str
    result: Callable[[Any], Any]

    def fault_active(self) -> AbstractContextManager[Any]:
        original = getattr(torch.func, self.transform)

        def patched(func: Any, *args: Any, **kwargs: Any) -> Any:
            if self.transform in ("vjp", "jvp"):
                found = original(func, *args, **kwargs)
                return self.result(found) if inside_vmap() else found
            made = original(func, *args, **kwargs)

            def called(*args: Any, **kwargs: Any) -> Any:
                found = made(*args, **kwargs)
                return self.result(found) if inside_vmap() else found

            return called

        return patch.object(torch.func, self.transform, patched)


def inside_vmap() -> bool:
    """Return whether a vmap is running."""
    levels = torch._C._functorch.get_interpreter_stack() or []  # noqa: SLF001 - torch tells it nowhere else
    return any(level.key() == torch._C._functorch.TransformType.Vmap for level in levels)  # noqa: SLF001 - likewise


def detach_last_member(out: Tensor) -> Tensor:
    """Return the same values, of which the last member's have no gradient."""
    return torch.cat([out[:-1], out[-1:].detach()])


def scale(tree: Any, factor: float) -> Any:
    return tree_map(lambda leaf: leaf * factor, tree)
