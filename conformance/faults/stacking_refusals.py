"""Faults for the chapter `stacking`: members that should be refused."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from conformance.faults.base.fault import Fault

Combined = tuple[Callable[..., Any], Any, Any]


class Lenient(Fault):
    """Members that should be refused are made alike first, on copies: `alike` changes one to match the first."""

    alike: Callable[[nn.Module, nn.Module], nn.Module]

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        copies = copy.deepcopy(list(models))
        return self.inner.combine([self.alike(model, copies[0]) for model in copies])


class AcceptsNoModel(Fault):
    """An empty sequence of models gives an ensemble without members."""

    breaks = "stacking.refuses_no_model"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        return self.inner.combine(models) if len(models) else (lambda *_: None, {}, {})


class AcceptsOtherClasses(Lenient):
    """Members of other classes are converted to the first member's class."""

    breaks = "stacking.refuses_different_classes"

    def alike(self, model: nn.Module, first: nn.Module) -> nn.Module:
        if type(model) is type(first):
            return model
        converted = copy.deepcopy(first)
        converted.load_state_dict(model.state_dict(), strict=False)
        return converted


class AcceptsMixedModes(Lenient):
    """Members in another mode are switched to the first member's mode."""

    breaks = "stacking.refuses_mixed_modes"

    def alike(self, model: nn.Module, first: nn.Module) -> nn.Module:
        return model if model.training == first.training else model.train(first.training)


class AcceptsMixedRequiresGrad(Lenient):
    """Each parameter's requires_grad is taken from the first member."""

    breaks = "stacking.refuses_mixed_requires_grad"

    def alike(self, model: nn.Module, first: nn.Module) -> nn.Module:
        flags = {name: parameter.requires_grad for name, parameter in first.named_parameters()}
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(flags.get(name, parameter.requires_grad))
        return model


class AcceptsOtherShapes(Lenient):
    """Tensors with as many elements as the first member's are reshaped."""

    breaks = "stacking.refuses_different_shapes"

    def alike(self, model: nn.Module, first: nn.Module) -> nn.Module:
        wanted = dict(first.named_parameters())
        for name, parameter in model.named_parameters():
            if name in wanted and parameter.numel() == wanted[name].numel() and parameter.shape != wanted[name].shape:
                parameter.data = parameter.data.reshape(wanted[name].shape)
        return model


class BroadcastsShapes(Lenient):
    """Tensors are broadcast to the first member's shape if possible."""

    breaks = "stacking.refuses_different_shapes"

    def alike(self, model: nn.Module, first: nn.Module) -> nn.Module:
        wanted = dict(first.named_parameters())
        for name, parameter in model.named_parameters():
            if name in wanted and parameter.ndim == 2 and parameter.shape[0] == 1 != wanted[name].shape[0]:
                parameter.data = parameter.data.expand_as(wanted[name]).clone()
        return model


class AcceptsMixedDevices(Lenient):
    """All members are moved to the first one's device."""

    breaks = "stacking.refuses_mixed_devices"

    def alike(self, model: nn.Module, first: nn.Module) -> nn.Module:
        here, there = next(model.parameters(), None), next(first.parameters(), None)
        if here is None or there is None or here.device == there.device:
            return model
        return model.to_empty(device=there.device)
