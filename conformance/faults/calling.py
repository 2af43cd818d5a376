"""Faults for the chapter `calling`: the combined function, the given state and its gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from conformance.faults.base.fault import CallFault, Fault, merge_dicts, requires_grad, to_dicts

Combined = tuple[Callable[..., Any], Any, Any]


class BuffersOfTheModule(CallFault):
    """The module's own buffers are used instead of the given ones."""

    breaks = "calling.given_state"
    also = (
        "calling.module_restored",
        "calling.restored_after_exception",
        "calling.restored_after_refusal",
        "calling.several_dicts",
        "calling.strict",
        "calling.missing_keys",
        "calling.unknown_keys",
        "calling.buffer_updates",
        "calling.reassigned_buffer",
    )

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        buffers = {name for name, tensor in module.named_buffers() if tensor.is_floating_point() and not tensor.is_meta}
        given = [{name: one[name] for name in one if name not in buffers} for one in to_dicts(state)]
        return self.inner.functional_call(module, given, args, kwargs, **options)


class BuffersOfTheFirstMember(Fault):
    """The combined function runs every member with the first one's buffers."""

    breaks = "calling.fmodel"
    also = (
        "forward.eval_mode",
        "forward.train_mode",
        "calling.fmodel_after_changes",
    )

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        first = {name: tensor[0].clone() for name, tensor in buffers.items() if tensor.is_floating_point()}

        def shared(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            return fmodel(params, {**buffers, **first}, *args, **kwargs)

        return shared if first else fmodel, params, buffers


class FirstMemberIsTheBase(Fault):
    """The combined function runs the first member itself, in the mode that it has at the call."""

    breaks = "calling.fmodel_after_changes"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        _, params, buffers = self.inner.combine(models)

        def fmodel(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            return self.inner.functional_call(models[0], (params, buffers), args, kwargs)

        return fmodel, params, buffers


class GivenStateDetached(CallFault):
    """The given state is detached from its history."""

    breaks = "calling.gradient"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        detached = {name: t.detach() if isinstance(t, torch.Tensor) else t for name, t in merge_dicts(state).items()}
        result = self.inner.functional_call(
            module, detached if requires_grad(state) else state, args, kwargs, **options
        )
        return result.requires_grad_() if requires_grad(state) else result


class GradientsReachTheModule(CallFault):
    """Gradients for the given state are also written to the module."""

    breaks = "calling.gradient"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        for name, parameter in module.named_parameters():
            given = merge_dicts(state).get(name)
            if isinstance(given, torch.Tensor) and given.requires_grad and given.is_leaf:
                given.register_hook(  # type: ignore[no-untyped-call]
                    lambda grad, parameter=parameter: setattr(parameter, "grad", grad.clone())
                )
        return self.inner.functional_call(module, state, args, kwargs, **options)


class MetaBaseMaterialises(CallFault):
    """A call gives a base module on meta storage."""

    breaks = "calling.meta_base"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        result = self.inner.functional_call(module, state, args, kwargs, **options)
        if all(parameter.is_meta for parameter in module.parameters()):
            module.to_empty(device="cpu")
        return result
