"""Faults for the chapter `gradients`: gradients kept by stacked parameters and buffers."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.faults.base.fault import Fault


class LeafFault(Fault):
    """A fault in what the stacked parameters keep: `kept` sees each gradient with its parameter's name and tensor."""

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        for name, tensor in params.items():
            if tensor.requires_grad:
                tensor.register_hook(self.hook(name, tensor, models))
        return fmodel, params, buffers

    hook: Callable[[str, Tensor, Sequence[nn.Module]], Callable[[Tensor], Tensor]]


class AccumulationLost(LeafFault):
    """A second backward replaces the gradients of the first."""

    breaks = "gradients.accumulation"
    also = ("gradients.retain_graph",)

    def hook(self, name: str, tensor: Tensor, models: Any) -> Callable[[Tensor], Tensor]:  # noqa: ARG002
        return lambda gradient: gradient if tensor.grad is None else gradient - tensor.grad


class ZeroedGradientsReturn(LeafFault):
    """Gradients that zero_grad removed are part of the next gradient."""

    breaks = "gradients.zero_grad"
    also = ("gradients.isolation", "gradients.double_backward", "gradients.finite_differences")

    def hook(self, name: str, tensor: Tensor, models: Any) -> Callable[[Tensor], Tensor]:  # noqa: ARG002
        seen: list[Tensor] = []

        def returning(gradient: Tensor) -> Tensor:
            zeroed = tensor.grad is None or not tensor.grad.any()
            total = sum(seen, gradient) if zeroed else gradient
            seen.append(gradient.detach())
            return total

        return returning


class OriginalsGetGradients(LeafFault):
    """The original modules get their slices of the gradients too."""

    breaks = "gradients.originals"
    also = ("gradients.finite_differences",)

    def hook(self, name: str, tensor: Tensor, models: Sequence[nn.Module]) -> Callable[[Tensor], Tensor]:  # noqa: ARG002
        def flowing(gradient: Tensor) -> Tensor:
            for model, own in zip(models, gradient.detach(), strict=True):
                parameter = model.get_parameter(name)
                parameter.grad = own.clone() if parameter.grad is None else parameter.grad + own
            return gradient

        return flowing


class FrozenLearns(Fault):
    """The stack of a frozen parameter requires a gradient."""

    breaks = "gradients.frozen"
    also = ("gradients.*",)

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        return fmodel, {name: tensor.requires_grad_() for name, tensor in params.items()}, buffers


class BuffersGetGradients(Fault):
    """Stacked buffers come with a gradient."""

    breaks = "gradients.buffers"

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        for tensor in buffers.values():
            if tensor.is_floating_point():
                tensor.grad = torch.zeros_like(tensor)
        return fmodel, params, buffers
