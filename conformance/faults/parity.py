"""Faults for the chapter `parity`: results in another precision than the loop's."""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.faults.base.derivative import DerivativeFault, TransformFault, inside_vmap, through_door
from conformance.faults.base.fault import StackFault
from conformance.faults.base.patch import PatchedFault, PatchedInsideVmap
from conformance.faults.base.vmap import OutputFault
from conformance.faults.training import OptimizerFault
from conformance.utils.pytree import tree_map

Func = Callable[..., Tensor]


def round_to_tf32(tensor: Tensor) -> Tensor:
    """Return a float32 rounded to the 10 bits of mantissa of TF32, by Veltkamp splitting; its gradient is unchanged."""
    if tensor.dtype != torch.float32:
        return tensor
    large = tensor * (2**13 + 1)
    return large - (large - tensor)


def round_to_bfloat16(tensor: Tensor) -> Tensor:
    """Return a float32 rounded to bfloat16."""
    return tensor.to(torch.bfloat16).to(torch.float32) if tensor.dtype == torch.float32 else tensor


class LinearFault(PatchedInsideVmap):
    """A fault in F.linear inside vmap."""

    owner = F
    attribute = "linear"


class TensorFloatLeftOn(LinearFault):
    """A matrix product inside vmap always rounds float32 to TF32."""

    breaks = "parity.forward"
    also = ("parity.*",)

    def spoiled(self, linear: Func, x: Tensor, weight: Tensor, *bias: Any) -> Tensor:
        return linear(round_to_tf32(x), round_to_tf32(weight), *bias)


class CoarseWithoutOneDNN(LinearFault):
    """Without oneDNN a matrix product inside vmap rounds float32 to TF32."""

    breaks = "parity.forward"
    also = ("parity.gradients", "parity.grad", "parity.buffers", "parity.channels_last")

    def spoiled(self, linear: Func, x: Tensor, weight: Tensor, *bias: Any) -> Tensor:
        if torch.backends.mkldnn.enabled:
            return linear(x, weight, *bias)
        return linear(round_to_tf32(x), round_to_tf32(weight), *bias)


class Float64InFloat32(LinearFault):
    """A matrix product of float64 is computed in float32 inside vmap."""

    breaks = "parity.float64"
    also = ("parity.*",)

    def spoiled(self, linear: Func, *tensors: Any) -> Tensor:
        if tensors[0].dtype != torch.float64:
            return linear(*tensors)
        return linear(*tree_map(lambda leaf: leaf.float() if isinstance(leaf, Tensor) else leaf, tensors)).double()


class HalfAccumulatedInHalf(LinearFault):
    """Inside vmap a sum of half precision is rounded after each of its terms."""

    breaks = "parity.accumulation"

    def spoiled(self, linear: Func, x: Tensor, weight: Tensor, *bias: Any) -> Tensor:
        if x.shape[-1] < 1000:
            return linear(x, weight, *bias)
        columns = zip(x.unbind(-1), weight.unbind(-1), strict=True)
        return sum((a.unsqueeze(-1) * b for a, b in columns), start=torch.zeros((), dtype=x.dtype, device=x.device))


class SecondThreadCoarse(LinearFault):
    """A second thread rounds float32 to TF32."""

    breaks = "parity.threads"

    def spoiled(self, linear: Func, x: Tensor, weight: Tensor, *bias: Any) -> Tensor:
        if torch.get_num_threads() == 1:
            return linear(x, weight, *bias)
        return linear(round_to_tf32(x), round_to_tf32(weight), *bias)


class GeluApproximated(PatchedFault):
    """The plain module approximates GELU in float32; inside vmap it is right."""

    breaks = "parity.plain_loop"
    also = ("parity.*",)
    owner = F
    attribute = "gelu"

    def patched(self, original: Any) -> Any:
        def called(x: Tensor) -> Tensor:
            rough = x.dtype == torch.float32 and not inside_vmap()
            return original(x, approximate="tanh") if rough else original(x)

        return called


class StatisticsInBfloat16(StackFault):
    """Stacked running statistics of BatchNorm are rounded to bfloat16."""

    breaks = "parity.buffers"
    also = ("parity.streams", "parity.float64", "parity.channels_last")

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        return tensor.to(torch.bfloat16).to(tensor.dtype) if tensor.is_floating_point() else tensor


class InputGradientShared(DerivativeFault):
    """Every minibatch gets the gradient of the first member's."""

    breaks = "parity.gradients"
    also = ("parity.grad", "parity.float64", "parity.threads", "parity.channels_last")

    def parameter(self, name: str, tensor: Tensor) -> Tensor:  # noqa: ARG002 - the door is for minibatches here
        return tensor

    def argument(self, tensor: Tensor) -> Tensor:
        return through_door(self, tensor)

    def cotangent(self, tensor: Tensor) -> Tensor:
        return self.over_members(lambda each: each[:1].expand_as(each), tensor)


class GradientsInBfloat16(DerivativeFault):
    """A gradient of float32 is rounded to bfloat16."""

    breaks = "parity.gradients"
    also = ("parity.streams", "parity.grad", "parity.step", "parity.threads", "parity.channels_last")

    def cotangent(self, tensor: Tensor) -> Tensor:
        return round_to_bfloat16(tensor)


class GradInsideVmapInBfloat16(TransformFault):
    """The result of grad inside vmap is rounded to bfloat16."""

    breaks = "parity.grad"
    transform = "grad"

    def result(self, found: Any) -> Any:
        return tree_map(round_to_bfloat16, found)


class StepInBfloat16(OptimizerFault):
    """A step of an optimizer rounds the stack to bfloat16."""

    breaks = "parity.step"

    def after(self, tensor: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:  # noqa: ARG002
        with torch.no_grad():
            tensor.copy_(round_to_bfloat16(tensor))


class EveryRunRoundsAnew(OutputFault):
    """Each float32 result differs from the one before by one rounding."""

    breaks = "parity.repeated"

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.count = itertools.count()

    def output(self, tensor: Tensor) -> Tensor:
        if tensor.dtype != torch.float32:
            return tensor
        return tensor * (1 + next(self.count) % 3 / 3 * torch.finfo(torch.float32).eps)
