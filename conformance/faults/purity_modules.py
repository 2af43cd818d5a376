"""Faults for the chapter `purity`: hooks and normalizations."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.faults.base.derivative import inside_vmap
from conformance.faults.base.fault import Fault
from conformance.faults.base.patch import PatchedFault, is_mapped
from conformance.faults.errors import accepting
from conformance.utils.module_state import copy_module

AcceptsSharedStatistics = accepting("purity.norms_of_shared_statistics", "while the running_mean")


class ChangedModules(Fault):
    """A fault in combined members: override `change`, which gets each module of a copy of each member."""

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        changed = [copy_module(model) for model in models]
        for model in changed:
            for path, module in model.named_modules():
                self.change(path, module)
        return self.inner.combine(changed)

    change: Callable[[str, Any], None]


class HooksOfPartsAreForgotten(ChangedModules):
    """Forward hooks of submodules are left out."""

    breaks = "purity.forward_hooks"
    also = ("purity.hooks_run_once", "purity.exception")

    def change(self, path: str, module: Any) -> None:
        if path:
            module._forward_hooks.clear()  # noqa: SLF001 - torch shows hooks nowhere else
            module._forward_pre_hooks.clear()  # noqa: SLF001 - torch shows hooks nowhere else


class HooksRunTwice(ChangedModules):
    """Forward hooks run a second time, and the result is discarded."""

    breaks = "purity.hooks_run_once"

    def change(self, path: str, module: Any) -> None:  # noqa: ARG002 - wherever it is
        hooks = module._forward_hooks  # noqa: SLF001 - torch shows hooks nowhere else
        for key, hook in hooks.items():
            hooks[key] = lambda *args, hook=hook: (hook(*args), hook(*args))[0]


class HooksOfTheFirstMemberAreForgotten(Fault):
    """The hooks of the last member are used for all."""

    breaks = "purity.hooks_of_the_first_member"

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        first = copy_module(models[-1])
        first.load_state_dict(models[0].state_dict())
        return self.inner.combine([first, *models[1:]])


class BackwardHooksAreForgotten(ChangedModules):
    """Full backward hooks are left out."""

    breaks = "purity.backward_hooks"
    also: tuple[str, ...] = ("purity.backward_hooks_under_grad",)
    judged_on = "reference"

    def change(self, path: str, module: Any) -> None:  # noqa: ARG002 - wherever it is
        module._backward_hooks.clear()  # noqa: SLF001 - torch shows hooks nowhere else
        module._backward_pre_hooks.clear()  # noqa: SLF001 - torch shows hooks nowhere else


class BackwardHooksUnderGradAreForgotten(BackwardHooksAreForgotten):
    """Full backward hooks are left out under torch.func.grad."""

    breaks = "purity.backward_hooks_under_grad"
    also = ()
    judged_on = "torch.func"


class HooksOfMappedTensorsAreForgotten(PatchedFault):
    """A hook on a mapped tensor is left out."""

    breaks = "purity.tensor_hooks_under_grad"
    also = ("purity.tensor_hooks",)
    owner = Tensor
    attribute = "register_hook"

    def patched(self, original: Any) -> Any:
        return lambda tensor, hook: None if inside_vmap() else original(tensor, hook)


class HooksOfTensorsRunTwice(PatchedFault):
    """A hook on a tensor runs a second time, and the result is discarded."""

    breaks = "purity.hooks_on_the_stack"
    owner = Tensor
    attribute = "register_hook"

    def patched(self, original: Any) -> Any:
        return lambda tensor, hook: original(tensor, lambda gradient: (hook(gradient), hook(gradient))[0])


class NormFault(PatchedFault):
    """A fault in batch_norm inside vmap: override `norm`, which gets its arguments."""

    owner = F
    attribute = "batch_norm"

    def patched(self, original: Any) -> Any:
        def batch_norm(x: Tensor, mean: Any, var: Any, *args: Any) -> Tensor:
            return (self.norm if inside_vmap() else _as_asked)(original, x, mean, var, *args)

        return batch_norm

    norm: Callable[..., Tensor]


def _as_asked(original: Any, *args: Any) -> Tensor:
    return original(*args)


class MomentumIsTenPercent(NormFault):
    """BatchNorm always updates its statistics with momentum 0.1."""

    breaks = "purity.norms_in_training"

    def norm(self, original: Any, x: Tensor, mean: Any, var: Any, *args: Any) -> Tensor:
        weight, bias, training, _, eps = args
        return original(x, mean, var, weight, bias, training, 0.1, eps)


class EvalModeIsForgotten(NormFault):
    """BatchNorm in eval mode uses the minibatch's statistics."""

    breaks = "purity.norms_in_eval"
    also = ("purity.norms_*",)

    def norm(self, original: Any, x: Tensor, mean: Any, var: Any, *args: Any) -> Tensor:
        weight, bias, _, momentum, eps = args
        return original(x, mean, var, weight, bias, True, momentum, eps)


class WithoutMomentumIsTraining(NormFault):
    """BatchNorm with momentum=None uses the minibatch's statistics in eval mode."""

    breaks = "purity.norms_cumulative_in_eval"
    also = ("purity.norms_in_eval",)

    def norm(self, original: Any, x: Tensor, mean: Any, var: Any, *args: Any) -> Tensor:
        weight, bias, training, momentum, eps = args
        return original(x, mean, var, weight, bias, training or momentum == 0, momentum, eps)


class SharedMeanIsForgotten(NormFault):
    """BatchNorm treats a running mean that members share as zero."""

    breaks = "purity.norms_of_shared_statistics_in_eval"

    def norm(self, original: Any, x: Tensor, mean: Any, var: Any, *args: Any) -> Tensor:
        shared = mean is not None and not is_mapped(mean) and not args[2]
        return original(x, torch.zeros_like(mean) if shared else mean, var, *args)


class WithoutMomentumIsTenPercent(ChangedModules):
    """BatchNorm with momentum=None is BatchNorm with the default momentum."""

    breaks = "purity.norms_cumulative"
    judged_on = "reference"

    def change(self, path: str, module: Any) -> None:  # noqa: ARG002 - wherever it is
        if getattr(module, "momentum", 0) is None:
            module.momentum = 0.1
