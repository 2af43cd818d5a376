"""Faults for the chapter `gradients`: in the transforms of torch.func, inside of vmap and around it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.autograd import forward_ad

from conformance.faults.base.derivative import DerivativeFault, TransformFault, detach_last_member, scale
from conformance.faults.base.fault import Fault
from conformance.faults.base.vmap import VmapFault
from conformance.utils.pytree import tree_map

Run = Callable[..., Any]
OFF = 1 + 1e-9


class PlainJvpWithoutTangent(Fault):
    """In this torch jvp drops the tangent, in the plain module as in the ensemble."""

    breaks = "gradients.plain_transforms"
    also = ("gradients.forward_over_reverse", "gradients.reverse_over_forward")

    def fault_active(self) -> AbstractContextManager[Any]:
        jvp = torch.func.jvp

        def dropping(*args: Any, **kwargs: Any) -> Any:
            value, tangent = jvp(*args, **kwargs)[:2]
            return value, scale(tangent, 0.0)

        return patch.object(torch.func, "jvp", dropping)


class GradAndValueExchanged(TransformFault):
    """grad_and_value inside vmap returns half of the loss."""

    breaks = "gradients.grad_and_value"
    transform = "grad_and_value"

    def result(self, found: Any) -> Any:
        gradient, value = found
        return gradient, value / 2


class VjpOfOnes(TransformFault):
    """vjp inside vmap pulls back ones instead of the given cotangent."""

    breaks = "gradients.vjp"
    transform = "vjp"

    def result(self, found: Any) -> Any:
        value, pull = found
        return value, lambda cotangent: pull(torch.ones_like(cotangent))


class JacrevOff(TransformFault):
    """jacrev inside vmap is off by a billionth."""

    breaks = "gradients.jacrev"
    transform = "jacrev"

    def result(self, found: Any) -> Any:
        return scale(found, OFF)


class JacfwdOff(TransformFault):
    """jacfwd inside vmap is off by a billionth."""

    breaks = "gradients.jacfwd"
    transform = "jacfwd"

    def result(self, found: Any) -> Any:
        return scale(found, OFF)


class HessianWithoutMixedBlocks(TransformFault):
    """hessian inside vmap is zero between two different parameters."""

    breaks = "gradients.hessian"
    transform = "hessian"

    def result(self, found: Any) -> Any:
        return {
            row: {column: block if row == column else 0 * block for column, block in blocks.items()}
            for row, blocks in found.items()
        }


class JvpOfGradOff(TransformFault):
    """jvp inside vmap of a function with several values is off by a billionth."""

    breaks = "gradients.forward_over_reverse"
    transform = "jvp"

    def result(self, found: Any) -> Any:
        value, tangent = found
        return value, scale(tangent, OFF) if isinstance(tangent, dict) else tangent


class GradOfJvpOff(TransformFault):
    """jvp inside vmap of a function with one value is off by a billionth."""

    breaks = "gradients.reverse_over_forward"
    transform = "jvp"

    def result(self, found: Any) -> Any:
        value, tangent = found
        return value, tangent * OFF if isinstance(tangent, Tensor) and not tangent.ndim else tangent


class SamplesGradientsAveraged(VmapFault):
    """Each sample's gradient is the mean over the samples."""

    breaks = "gradients.per_sample"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        if self.depth == 1:
            return out
        return tree_map(lambda leaf: leaf.mean(0, keepdim=True).expand_as(leaf), out)


class LastMemberCutInsideTransforms(VmapFault):
    """A vmap inside of another transform cuts off the last member's gradient."""

    breaks = "gradients.grad_of_vmap"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        inside = torch._C._functorch.peek_interpreter_stack() is not None  # noqa: SLF001 - torch tells it nowhere else
        out = run(func, in_dims, out_dims, args)
        return detach_last_member(out) if inside and self.depth == 1 else out


class DualsLoseTangents(VmapFault):
    """Dual tensors lose their tangents."""

    breaks = "gradients.forward_mode"
    also = ("gradients.grad_of_vmap", "gradients.finite_differences")

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        if self.depth > 1 or forward_ad._current_level < 0:  # noqa: SLF001 - torch tells it nowhere else
            return out
        return forward_ad.unpack_dual(out).primal  # type: ignore[no-untyped-call]


class PairsOfMembersOff(DerivativeFault):
    """In an ensemble of two the gradients are off by a hundredth."""

    breaks = "gradients.finite_differences"
    also = ("gradients.any_size",)

    def cotangent(self, tensor: Tensor) -> Tensor:
        return tensor * (1.01 if self.size == 2 else 1)
