"""Faults for the chapter `gradients`: in backward through the stack."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from conformance.faults.base.derivative import DerivativeFault, detach_last_member, through_door
from conformance.faults.base.fault import Fault
from conformance.faults.base.vmap import VmapFault, size, spread_in_dims
from conformance.utils.pytree import tree_map

Run = Callable[..., Any]


class TanhGradientOff(Fault):
    """In this torch the gradient of tanh is off by a hundredth, in the loop as in the ensemble."""

    breaks = "gradients.plain_loop"
    also = ("gradients.finite_differences",)

    def fault_active(self) -> AbstractContextManager[Any]:
        tanh = torch.tanh
        return patch.object(torch, "tanh", lambda x: tanh(x) + (x - x.detach()) * 1e-2)


class GradientsAveraged(DerivativeFault):
    """Every member gets the mean of the members' gradients."""

    breaks = "gradients.own_minibatch"
    also = ("gradients.*",)

    def cotangent(self, tensor: Tensor) -> Tensor:
        return self.over_members(lambda each: each.mean(0, keepdim=True).expand_as(each), tensor)


class LastMemberLearnsNothing(DerivativeFault):
    """The last member's gradient is zero."""

    breaks = "gradients.shared_minibatch"
    also = ("gradients.*",)

    def cotangent(self, tensor: Tensor) -> Tensor:
        return self.over_members(lambda each: torch.cat([each[:-1], 0 * each[-1:]]), tensor)


class NeighboursGradientLeaks(DerivativeFault):
    """A thousandth of the next member's gradient is in each member's."""

    breaks = "gradients.isolation"
    also = ("gradients.*",)

    def cotangent(self, tensor: Tensor) -> Tensor:
        return self.over_members(lambda each: each + 1e-3 * each.roll(1, 0), tensor)


class GradientsDividedByMembers(DerivativeFault):
    """The gradient of a sum over members is divided by their number."""

    breaks = "gradients.sum_and_mean"
    also = ("gradients.*",)

    def cotangent(self, tensor: Tensor) -> Tensor:
        return tensor / self.size


class EleventhLearnsNothing(DerivativeFault):
    """From the eleventh member on gradients are zero."""

    breaks = "gradients.any_size"
    also = ("gradients.losses",)

    def cotangent(self, tensor: Tensor) -> Tensor:
        return self.over_members(lambda each: torch.cat([each[:10], 0 * each[10:]]), tensor)


class BiasesDetached(DerivativeFault):
    """Biases are detached on their way into the members."""

    breaks = "gradients.grad"
    also = ("gradients.*",)

    def parameter(self, name: str, tensor: Tensor) -> Tensor:
        return tensor.detach() if name.endswith("bias") else tensor


class DoubleBackwardCut(DerivativeFault):
    """Gradients have no graph of their own."""

    breaks = "gradients.double_backward"
    also = (
        "gradients.hessian",
        "gradients.forward_over_reverse",
        "gradients.reverse_over_forward",
        "gradients.finite_differences",
    )

    def cotangent(self, tensor: Tensor) -> Tensor:
        return tensor.detach()


class TangentsLost(DerivativeFault):
    """Forward mode finds no tangent in the parameters."""

    breaks = "gradients.jvp"
    also = (
        "gradients.jacfwd",
        "gradients.hessian",
        "gradients.forward_*",
        "gradients.reverse_over_forward",
        "gradients.grad_of_vmap",
        "gradients.finite_differences",
    )

    def tangent(self, tensor: Tensor) -> Tensor:
        return torch.zeros_like(tensor)


class InputGradientsRolled(DerivativeFault):
    """Each member's minibatch gets its neighbour's gradient."""

    breaks = "gradients.own_input"
    also = ("gradients.*",)

    def parameter(self, name: str, tensor: Tensor) -> Tensor:  # noqa: ARG002
        return tensor

    def argument(self, tensor: Tensor) -> Tensor:
        return through_door(self, tensor) if tensor.is_floating_point() else tensor

    def cotangent(self, tensor: Tensor) -> Tensor:
        return self.over_members(lambda each: each.roll(1, 0), tensor)


class ChunksLastMemberDetached(Fault):
    """In chunks, the last member is cut off from its gradient."""

    breaks = "gradients.chunked"

    def vmap(self, *args: Any, chunk_size: int | None = None, **more: Any) -> Callable[..., Any]:
        mapped = self.inner.vmap(*args, chunk_size=chunk_size, **more)
        if chunk_size is None:
            return mapped

        def cut(*args: Any) -> Any:
            out = mapped(*args)
            return detach_last_member(out)

        return cut


class Passage:
    """The passage of one argument into vmap, mapped along `dim` with `size` members; `times` counts its gradients."""

    def __init__(self, fault: "OutsideFault", dim: int | None, size: int) -> None:
        self.fault, self.dim, self.size, self.times = fault, dim, size, 0

    def cotangent(self, tensor: Tensor) -> Tensor:
        self.times += 1
        return self.fault.gradient(tensor, self)


class OutsideFault(VmapFault):
    """A fault in gradients of vmap's arguments: override `gradient`, which gets each with its passage."""

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        dims = spread_in_dims(in_dims, args)
        n = size(dims, args)

        def enter(dim: Any, leaf: Any) -> Any:
            floating = isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.requires_grad
            return through_door(Passage(self, dim.value, n), leaf) if floating else leaf

        return run(func, in_dims, out_dims, tree_map(enter, dims, args))

    gradient: Callable[[Tensor, Passage], Tensor]


class MappedDimensionReversed(OutsideFault):
    """Gradients of an argument mapped along another dimension than 0 come back in reverse order."""

    breaks = "gradients.dims"

    def gradient(self, tensor: Tensor, passage: Passage) -> Tensor:
        return tensor.flip(passage.dim) if passage.dim else tensor


class SharedInputsAveraged(OutsideFault):
    """A shared input gets the mean of the members' gradients."""

    breaks = "gradients.shared_input"
    also = ("gradients.finite_differences",)

    def gradient(self, tensor: Tensor, passage: Passage) -> Tensor:
        return tensor / passage.size if passage.dim is None else tensor


class RetainedGraphUsedUp(OutsideFault):
    """A retained graph gives zeros from the second backward on."""

    breaks = "gradients.retain_graph"
    also = ("gradients.isolation", "gradients.double_backward", "gradients.finite_differences")

    def gradient(self, tensor: Tensor, passage: Passage) -> Tensor:
        return tensor if passage.times == 1 else torch.zeros_like(tensor)


class LossWeightsAveraged(VmapFault):
    """Every member's loss is weighted with the mean of the weights."""

    breaks = "gradients.weights"
    also = ("gradients.isolation", "gradients.grad_of_vmap")

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        return through_door(self, out) if isinstance(out, Tensor) and out.ndim == 1 and out.requires_grad else out

    def cotangent(self, tensor: Tensor) -> Tensor:
        return tensor.mean().expand_as(tensor)
