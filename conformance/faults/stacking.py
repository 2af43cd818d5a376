"""Faults for the chapter `stacking`."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.faults.base.fault import CallFault, Fault, StackFault

Combined = tuple[Callable[..., Any], Any, Any]


class MembersReversed(Fault):
    """The members are stacked in reverse order."""

    breaks = "stacking.order"
    also = (
        "forward.*",
        "stacking.*",
        "calling.fmodel*",
        "calling.meta_base",
    )

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        return self.inner.combine(list(models)[::-1])


class SquaresTransposed(StackFault):
    """Two dimensions of equal size change places."""

    breaks = "stacking.order"
    also = (
        "stacking.tied",
        "calling.fmodel",
    )

    def stacked(self, tensor: Tensor) -> Tensor:
        return tensor.mT if tensor.ndim == 3 and tensor.shape[1] == tensor.shape[2] else tensor


class NamesSorted(Fault):
    """The names come in alphabetical order."""

    breaks = "stacking.names"
    also = (
        "forward.train_mode",
        "forward.golden_gradients",
    )

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        return fmodel, dict(sorted(params.items())), dict(sorted(buffers.items()))


class BuffersShuffled(Fault):
    """The first two of many buffers change places."""

    breaks = "stacking.tuples"
    also = (
        "stacking.order",
        "stacking.leading_dimension",
        "stacking.dtype",
        "stacking.integer_buffers",
    )
    judged_on = "functorch"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        return fmodel, params, (buffers[1], buffers[0], *buffers[2:]) if len(buffers) > 5 else buffers


class ScalarsGetADimension(StackFault):
    """Scalars are stacked as if they were vectors of one element."""

    breaks = "stacking.leading_dimension"
    also = (
        "forward.train_mode",
        "stacking.order",
        "stacking.integer_buffers",
        "stacking.sequences",
        "stacking.refuses_*",
    )

    def stacked(self, tensor: Tensor) -> Tensor:
        return tensor.unsqueeze(1) if tensor.ndim == 1 else tensor


class NoGradIsKept(StackFault):
    """What is combined under no_grad never requires grad."""

    breaks = "stacking.trainable"

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor if torch.is_grad_enabled() else tensor.detach()


class ParametersAreNoLeaves(StackFault):
    """Stacked parameters have a history, so that their gradients are not kept."""

    breaks = "stacking.trainable"
    also = ("stacking.originals_get_no_gradient",)

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor.view_as(tensor) if torch.is_grad_enabled() else tensor


class LegacyStateRequiresGrad(StackFault):
    """The legacy API attaches what it used to detach."""

    breaks = "stacking.detached"
    also = ("stacking.frozen",)
    judged_on = "functorch"

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor.requires_grad_(tensor.is_floating_point())


class BuffersRequireGrad(StackFault):
    """Floating buffers become trainable."""

    breaks = "stacking.buffers"
    also = (
        "forward.arguments_unchanged",
        "forward.eval_mode",
        "forward.train_mode",
        "calling.fmodel",
        "calling.fmodel_after_changes",
        "calling.meta_base",
    )

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        return tensor.detach().requires_grad_(tensor.is_floating_point())


class FrozenThaw(StackFault):
    """Frozen parameters become trainable."""

    breaks = "stacking.frozen"

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor.requires_grad_()


class HalvesWiden(StackFault):
    """float16 and bfloat16 are stacked as float32."""

    breaks = "stacking.dtype"
    also = ("stacking.order",)

    def stacked(self, tensor: Tensor) -> Tensor:
        return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


class MetaMaterialises(StackFault):
    """Members on another device than the CPU are stacked on the CPU."""

    breaks = "stacking.device"

    def stacked(self, tensor: Tensor) -> Tensor:
        return torch.empty_like(tensor, device="cpu") if tensor.is_meta else tensor


class IntegersThroughDouble(StackFault):
    """Integers are stacked as doubles and converted back."""

    breaks = "stacking.integer_buffers"
    also = ("stacking.order",)

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        return tensor.double().to(tensor.dtype) if tensor.dtype == torch.int64 else tensor


class NonPersistentLeftOut(Fault):
    """Only buffers of the state_dict are stacked."""

    breaks = "stacking.non_persistent_buffers"
    also = (
        "stacking.order",
        "stacking.names",
        "stacking.leading_dimension",
        "stacking.buffers",
        "stacking.dtype",
        "stacking.device",
    )

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        kept = models[0].state_dict()
        return fmodel, params, {name: tensor for name, tensor in buffers.items() if name in kept}


class OneMemberIsAView(Fault):
    """An ensemble of one is a view of its member."""

    breaks = "stacking.no_alias"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        if len(models) != 1:
            return fmodel, params, buffers
        views = {n: p.detach().unsqueeze(0).requires_grad_(p.requires_grad) for n, p in models[0].named_parameters()}
        return fmodel, views, {name: buffer.unsqueeze(0) for name, buffer in models[0].named_buffers()}


class EqualBuffersAreShared(StackFault):
    """A buffer that is the same in all members is stored once for all."""

    breaks = "stacking.no_alias"

    def stacked_buffer(self, tensor: Tensor) -> Tensor:
        same = not tensor.is_meta and len(tensor) > 1 and torch.equal(tensor[1:], tensor[:-1])
        return tensor[:1].expand_as(tensor) if same else tensor


class OriginalsLoseTheirGradients(Fault):
    """Combining clears the members' gradients."""

    breaks = "stacking.originals_unchanged"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        for model in models:
            model.zero_grad(set_to_none=True)
        return self.inner.combine(models)


class OriginalsStayOnMode(Fault):
    """Combining leaves the members in eval mode."""

    breaks = "stacking.originals_unchanged"
    also = ("forward.train_mode",)

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        combined = self.inner.combine(models)
        for model in models:
            model.eval()
        return combined


class OriginalsAreRewritten(Fault):
    """Combining writes to each member the values that it has."""

    breaks = "stacking.originals_unchanged"
    also = ("stacking.refuses_*",)

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        for model in models:
            for tensor in model.buffers():
                tensor.copy_(tensor.clone())
        return self.inner.combine(models)


class OneMemberKeepsItsHistory(StackFault):
    """In an ensemble of one, parameters have a history."""

    breaks = "stacking.trainable"

    def stacked_parameter(self, tensor: Tensor) -> Tensor:
        return tensor.view_as(tensor) if len(tensor) == 1 and tensor.requires_grad else tensor


class GradientsFlowBack(Fault):
    """A backward pass reaches the first member too."""

    breaks = "stacking.originals_get_no_gradient"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        for name, tensor in params.items():
            original = models[0].get_parameter(name)
            if tensor.requires_grad:
                tensor.register_hook(lambda grad, original=original: setattr(original, "grad", grad[0].clone()))
        return fmodel, params, buffers


class ModuleListReversed(Fault):
    """A ModuleList is walked from its end."""

    breaks = "stacking.sequences"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        return self.inner.combine(list(models)[::-1] if isinstance(models, nn.ModuleList) else models)


class OneRoundingTooMany(StackFault):
    """Values come out one unit in the last place too large."""

    breaks = "stacking.round_trip"
    also = (
        "forward.golden_gradients",
        "stacking.order",
        "stacking.non_persistent_buffers",
        "stacking.sequences",
        "stacking.refuses_*",
    )

    def stacked(self, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        return torch.nextafter(tensor.detach(), torch.full_like(tensor.detach(), torch.inf))


class TiesForgotten(Fault):
    """Only the first name of a tied tensor gets the member's value."""

    breaks = "stacking.tied"
    also = ("calling.fmodel",)

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        _, params, buffers = self.inner.combine(models)
        base = copy.deepcopy(models[0]) if models else None

        def fmodel(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            return self.inner.functional_call(base, (params, buffers), args, kwargs, tie_weights=False)

        return fmodel, params, buffers


class MetaReadsAsZero(CallFault):
    """What the base module still holds on meta counts as zero."""

    breaks = "stacking.tied_meta_base"
    also = ("stacking.tied_meta_base_strict",)
    judged_on = "reference"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        given = {name for one in (state if isinstance(state, tuple | list) else [state]) for name in one}
        zeros = {n: torch.zeros(p.shape) for n, p in module.named_parameters() if p.is_meta and n not in given}
        return self.inner.functional_call(module, (*state, zeros) if zeros else state, args, kwargs, **options)


class StrictForgotten(CallFault):
    """strict=True counts for nothing."""

    breaks = "stacking.tied_meta_base_strict"
    also = (
        "calling.restored_after_refusal",
        "calling.strict_refuses_unknown_keys",
        "calling.strict_refuses_missing_keys",
    )

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        return self.inner.functional_call(module, state, args, kwargs, **{**options, "strict": False})
