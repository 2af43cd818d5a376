"""Faults for the chapter `parity`: state and results on or of the wrong device, and memory that is not freed.

On one CPU there is no wrong device: most of these are judged on the simulated device.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from conformance.devices.features import device_namespace
from conformance.faults.base.derivative import inside_vmap
from conformance.faults.base.fault import Fault, StackFault
from conformance.faults.base.patch import PatchedFault
from conformance.faults.base.vmap import OutputFault, VmapFault
from conformance.utils.pytree import leaves, tree_map


def tensors(tree: Any) -> list[Tensor]:
    return [leaf for _, leaf in leaves(tree, "") if isinstance(leaf, Tensor)]


def to(device: torch.device, tree: Any) -> Any:
    return tree_map(lambda leaf: leaf.to(device) if isinstance(leaf, Tensor) else leaf, tree)


class OnTheStandIn(Fault):
    """A fault that is judged on the simulated device, of which there are two."""

    device = "standin"


class BuffersStayOnTheCpu(OnTheStandIn, StackFault):
    """Stacked buffers are made on the CPU, and stay there."""

    breaks = "parity.built_elsewhere"
    also = ("parity.*",)

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        return tensor.cpu()


class AnswersForWhereItWasStacked(OnTheStandIn):
    """Once a stack was made on the CPU, members answer for the last one made there, wherever theirs is now."""

    breaks = "parity.moved"
    also = ("parity.*",)

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        if tensors(params)[0].device.type != "cpu":
            return fmodel, params, buffers
        first = tree_map(lambda leaf: leaf.detach()[0], params)

        def stale(params: Any, *rest: Any, **more: Any) -> Any:
            return fmodel(to(tensors(params)[0].device, first), *rest, **more)

        return stale, params, buffers


class MovedForgetsGradients(OnTheStandIn, PatchedFault):
    """A tensor that is moved to another device no longer requires gradients."""

    breaks = "parity.moved_gradients"
    owner = Tensor
    attribute = "to"

    def patched(self, original: Any) -> Any:
        def moved(tensor: Tensor, *args: Any, **options: Any) -> Tensor:
            there: Tensor = original(tensor, *args, **options)
            return there if there.device == tensor.device else there.detach().requires_grad_(tensor.requires_grad)

        return moved


class MixedDevicesAccepted(OnTheStandIn):
    """Inputs on another device than the first minibatches are silently moved there."""

    breaks = "parity.mixed_devices"
    also = ("parity.*",)

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        return in_dims, to(tensors(args)[-1].device, args)


class MixedMembersAccepted(OnTheStandIn):
    """Members on several devices are silently stacked on the first one's device."""

    breaks = "parity.mixed_members"
    also = ("stacking.refuses_mixed_devices",)

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        device = next(iter(models[0].parameters())).device if models else None
        return self.inner.combine([model.to(device) for model in models])


class ResultOnTheCpu(OnTheStandIn, OutputFault):
    """The result of vmap is left on the CPU."""

    breaks = "parity.stays"
    also = ("parity.*",)

    def output(self, tensor: Tensor) -> Tensor:
        return tensor.cpu()


class AnsweredOnTheCurrentDevice(OnTheStandIn, OutputFault):
    """Outputs of members on another device come back on the current one."""

    breaks = "parity.next_device"

    def output(self, tensor: Tensor) -> Tensor:
        return tensor.to(f"{tensor.device.type}:0") if tensor.device.index else tensor


class DrawsMoveTheCpusGenerator(OnTheStandIn, PatchedFault):
    """A draw for members on a device also advances the CPU's generator."""

    breaks = "parity.own_generator"
    owner = torch
    attribute = "rand_like"

    def patched(self, original: Any) -> Any:
        def drawn(tensor: Tensor, **options: Any) -> Tensor:
            torch.default_generator.manual_seed(5)
            return original(tensor, **options)

        return drawn


class StatisticsOfTheFirstForAll(OnTheStandIn):
    """Away from the CPU, the first member's updated statistics are written to all members."""

    breaks = "parity.back_and_forth"
    also = ("parity.*",)

    def vmap(self, func: Callable[..., Any], *options: Any, **more: Any) -> Callable[..., Any]:
        def spoiled(*args: Any) -> Any:
            out = self.inner.vmap(func, *options, **more)(*args)
            for buffer in tensors(args[1:2]) if len(args) > 1 and isinstance(args[1], dict) else []:
                buffer.copy_(buffer[:1].expand_as(buffer).clone())
            return out

        return spoiled


class OtherStreamsComputeTwice(PatchedFault):
    """On a stream other than the default one, results inside vmap are doubled."""

    breaks = "parity.streams"
    owner = torch.nn.functional
    attribute = "linear"

    def patched(self, original: Any) -> Any:
        def linear(*args: Any) -> Tensor:
            out: Tensor = original(*args)
            module = device_namespace(out.device)
            return out * 2 if inside_vmap() and module.current_stream() is not self.default else out

        return linear

    def fault_active(self) -> AbstractContextManager[Any]:
        self.default = torch.cpu.current_stream()
        return super().fault_active()


class LastOutputIsLate(PatchedFault):
    """The result of vmap is halved until the device is synchronized."""

    breaks = "parity.synchronized"
    also = ("parity.*",)
    owner = torch.cpu
    attribute = "synchronize"

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.late: list[Tensor] = []

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002 - what was given is of no concern
        self.late = [leaf.data for leaf in tensors(out)]
        for leaf in self.late:
            leaf.mul_(0.5)
        return out

    def patched(self, original: Any) -> Any:
        def synchronize() -> None:
            original()
            for leaf in self.late:
                leaf.mul_(2)

        return synchronize


class CopiesOfEverything(OnTheStandIn, OutputFault):
    """vmap temporarily holds many copies of all minibatches in every feature."""

    breaks = "parity.memory_peak"

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        copies = [leaf.repeat(*[1] * (leaf.dim() - 1), 256) for leaf in tensors(args[2:])]
        out = run(func, in_dims, out_dims, args)
        copies.clear()
        return out


class LastMinibatchesKept(OnTheStandIn, VmapFault):
    """vmap keeps a copy of its arguments forever."""

    breaks = "parity.memory_given_back"
    kept: list[Tensor]

    def mapped(self, run: Callable[..., Any], func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        self.kept = [*getattr(self, "kept", []), *(leaf.detach().clone() for leaf in tensors(args))]
        return run(func, in_dims, out_dims, args)
