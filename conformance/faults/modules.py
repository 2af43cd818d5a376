"""Faults for the chapter `modules`: defects in one kind of module, or in one check of all modules."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.faults.base.derivative import TransformFault, scale
from conformance.faults.base.fault import CallFault, Fault, merge_dicts
from conformance.faults.base.patch import PatchedInsideVmap, is_mapped
from conformance.faults.gradients_transforms import SamplesGradientsAveraged
from conformance.utils.pytree import is_inexact, tree_map

OFF = 1 + 1e-3
ALL = ("modules.*",)


class GroupsExchanged(PatchedInsideVmap):
    """A convolution with groups gives each group the next one's channels."""

    breaks = "modules.own_minibatch"
    shown_by = "Conv2d"
    also = ALL
    owner = F
    attribute = "conv2d"

    def spoiled(self, original: Any, x: Tensor, *args: Any) -> Tensor:
        return original(x if args[-1] == 1 else x.flip(-3), *args)


class SharedIndicesOfTheLast(PatchedInsideVmap):
    """Shared indices count from the end."""

    breaks = "modules.shared_minibatch"
    shown_by = "mbedding"
    owner = F
    attribute = "embedding"

    def spoiled(self, original: Any, x: Tensor, weight: Tensor, *args: Any) -> Tensor:
        return original(x if is_mapped(x) else len(weight) - 1 - x, weight, *args)


class BilinearGradientOff(PatchedInsideVmap):
    """The gradient of a bilinear layer is off by a thousandth; its value is right."""

    breaks = "modules.backward"
    shown_by = "Bilinear"
    also = ALL
    owner = F
    attribute = "bilinear"

    def spoiled(self, original: Any, *args: Any) -> Tensor:
        out = original(*args)
        return out + (out - out.detach()) * (OFF - 1)


class GradOfModulesOff(TransformFault):
    """torch.func.grad inside vmap is off by a thousandth if there is more than parameters to differentiate."""

    breaks = "modules.grad"
    shown_by = "Linear"
    transform = "grad"

    def result(self, found: Any) -> Any:
        return scale(found, OFF) if isinstance(found, tuple) else found


class JvpOfModulesOff(TransformFault):
    """torch.func.jvp inside vmap is off by a thousandth if a module has several outputs."""

    breaks = "modules.forward_mode"
    shown_by = "LSTM"
    transform = "jvp"

    def result(self, found: Any) -> Any:
        value, tangent = found
        return value, scale(tangent, OFF) if len(tangent) > 1 else tangent


class SamplesOfModulesAveraged(SamplesGradientsAveraged):
    """Each sample's gradient is the mean over the samples, in any module."""

    breaks = "modules.per_sample"
    shown_by = "Linear"


class InstanceStatisticsKept(PatchedInsideVmap):
    """InstanceNorm uses its running statistics and does not update them."""

    breaks = "modules.buffers"
    shown_by = "InstanceNorm"
    owner = F
    attribute = "instance_norm"

    def spoiled(self, original: Any, x: Tensor, mean: Any, var: Any, *args: Any) -> Tensor:
        return original(x, None if mean is None else mean.clone(), None if var is None else var.clone(), *args)


class ModulesDrawAlike(Fault):
    """In mode different all members draw the same."""

    breaks = "modules.randomness"
    shown_by = "ropout"

    def vmap(self, func: Callable[..., Any], *args: Any, **options: Any) -> Callable[..., Any]:
        if options.get("randomness") == "different":
            options = {**options, "randomness": "same"}
        return self.inner.vmap(func, *args, **options)


class FailuresAreWrittenDown(Fault):
    """A call that fails changes the first member."""

    breaks = "modules.restored"
    shown_by = "Norm"

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        self.first = models[0]
        return self.inner.combine(models)

    def vmap(self, func: Callable[..., Any], *args: Any, **options: Any) -> Callable[..., Any]:
        mapped = self.inner.vmap(func, *args, **options)

        def noting(*args: Any) -> Any:
            try:
                return mapped(*args)
            except Exception:
                vars(self.first)["failed"] = True
                raise

        return noting


class MembersSorted(Fault):
    """The members are stacked in the order of their first parameters."""

    breaks = "modules.order"
    shown_by = "Norm"
    also = ALL

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        return self.inner.combine(sorted(models, key=_first_number))


def _first_number(model: nn.Module) -> float:
    return next((float(parameter.flatten()[0].real) for parameter in model.parameters() if parameter.numel()), 0.0)


class LoneMemberOff(Fault):
    """The output of an ensemble of one is off by a thousandth."""

    breaks = "modules.single"
    shown_by = "Norm"

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002 - it shows in what comes out
        return tree_map(lambda leaf: leaf * OFF if is_inexact(leaf) and len(leaf) == 1 else leaf, out)


class TrainModeIsForgotten(Fault):
    """The module that runs the members is always in eval mode."""

    breaks = "modules.modes"
    shown_by = "Norm"
    also = ALL

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        modes = [module.training for module in models[0].modules()]
        models[0].eval()
        made = self.inner.combine([models[0], *(model.eval() for model in models[1:])])
        for model in models:
            for module, mode in zip(model.modules(), modes, strict=True):
                module.training = mode
        return made


class NanSpreads(Fault):
    """A NaN in one member's output spreads to all outputs."""

    breaks = "modules.isolation"
    shown_by = "Norm"

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002 - it shows in what comes out
        return tree_map(lambda leaf: leaf + 0 * leaf.sum(0) if is_inexact(leaf) else leaf, out)


class ClassesWrapAround(PatchedInsideVmap):
    """A class index out of range wraps around."""

    breaks = "modules.out_of_range"
    shown_by = "CrossEntropy"
    owner = F
    attribute = "cross_entropy"

    def spoiled(self, original: Any, x: Tensor, target: Tensor, *args: Any, **options: Any) -> Tensor:
        indices = not target.is_floating_point()
        return original(x, target.remainder(x.shape[1]) if indices else target, *args, **options)


class MetaBuffersAreZero(CallFault):
    """A base on meta uses zeros instead of the given buffers."""

    breaks = "modules.meta_base"
    shown_by = "Norm"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: Any) -> Any:
        given = merge_dicts(state)
        on_meta = any(parameter.is_meta for parameter in module.parameters())
        own = [name for name, _ in module.named_buffers() if on_meta and name in given]
        zeros = {name: torch.zeros_like(given[name]) for name in own}
        return self.inner.functional_call(module, given | zeros, args, kwargs, **options)


class ClassNobodyKnows(Fault):
    """In this torch there is a module that the suite does not cover."""

    breaks = "modules.covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        return patch.object(nn, "Newest", type("Newest", (nn.Linear,), {}), create=True)


class FunctionNobodyKnows(Fault):
    """In this torch there is a function of torch.nn.functional that the suite does not cover."""

    breaks = "modules.functions_covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        return patch.object(F, "newest", F.linear, create=True)
