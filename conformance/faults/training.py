"""Faults for the chapter `training`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.optim import optimizer as hooks

from conformance.faults.base.derivative import DerivativeFault
from conformance.faults.base.fault import Fault
from conformance.faults.base.vmap import VmapFault
from conformance.faults.gradients import LossWeightsAveraged
from conformance.utils.pytree import tree_map
from conformance.workloads.training import TRAINING_MEMBERS

Run = Callable[..., Any]


class OptimizerFault(Fault):
    """A fault in steps of optimizers: `before` and `after` get each stacked parameter, its group and its state."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.stacked: list[Tensor] = []

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        self.stacked = list(params.values())
        return fmodel, params, buffers

    def fault_active(self) -> AbstractContextManager[Any]:
        return self._hooked()

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        handles = [
            hooks.register_optimizer_step_pre_hook(lambda optimizer, *_: self._each(self.before, optimizer)),
            hooks.register_optimizer_step_post_hook(lambda optimizer, *_: self._each(self.after, optimizer)),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _each(self, change: Callable[..., None], optimizer: torch.optim.Optimizer) -> None:
        ours = {id(tensor) for tensor in self.stacked}
        for group in optimizer.param_groups:
            for tensor in group["params"]:
                if id(tensor) in ours:
                    change(tensor, group, optimizer.state[tensor])

    def before(self, tensor: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        pass

    def after(self, tensor: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        pass


class OptimizerStateShared(OptimizerFault):
    """After every step the optimizer replaces each member's state by the mean over the members."""

    breaks = "training.separable_optimizers"
    also = ("training.*",)

    def after(self, tensor: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:  # noqa: ARG002
        for value in state.values():
            if isinstance(value, Tensor) and value.shape == tensor.shape:
                value.copy_(value.mean(0, keepdim=True).expand_as(value))


class DivergenceSpreads(OptimizerFault):
    """Members are masked by a product with zero, which lets NaN through."""

    breaks = "training.isolation"

    def after(self, tensor: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:  # noqa: ARG002
        with torch.no_grad():
            tensor.add_(0 * tensor.sum(0))


class ScheduleForgotten(OptimizerFault):
    """A stack is trained at the initial learning rate."""

    breaks = "training.schedulers"

    def before(self, tensor: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:  # noqa: ARG002
        group["lr"] = group.get("initial_lr", group["lr"])


class LearningRatesAveraged(LossWeightsAveraged):
    """Every member learns at the mean of all learning rates."""

    breaks = "training.learning_rates"
    also = ("training.clip_per_member", "training.clip_grad_norm")


class OneNormForAll(VmapFault):
    """A norm inside vmap is taken over all members together."""

    breaks = "training.clip_per_member"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        if not isinstance(out, dict):
            return out
        return {**out, "norm": out["norm"].norm().expand_as(out["norm"])}


class LargeGradientsSaturate(DerivativeFault):
    """No gradient is larger than 100."""

    breaks = "training.grad_scaler"

    def cotangent(self, tensor: Tensor) -> Tensor:
        return tensor.clamp(-100, 100)


class StatisticsStayBehind(Fault):
    """Training does not write buffers back to the stack."""

    breaks = "training.unstacked"

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        return in_dims, (args[0], tree_map(torch.clone, args[1]), *args[2:]) if len(args) > 1 else args


class LoadedInReverse(Fault):
    """In this torch a file of three members is loaded in reverse order."""

    breaks = "training.checkpoint"

    def fault_active(self) -> AbstractContextManager[Any]:
        load = torch.load

        def reversed_load(*args: Any, **kwargs: Any) -> Any:
            kept = load(*args, **kwargs)
            kept["params"] = {
                name: tensor.detach().flip(0).requires_grad_() if len(tensor) == TRAINING_MEMBERS else tensor
                for name, tensor in kept["params"].items()
            }
            return kept

        return patch.object(torch, "load", reversed_load)


class MomentumNotLoaded(Fault):
    """In this torch the optimizer's state of a stack is not loaded."""

    breaks = "training.checkpoint"

    def fault_active(self) -> AbstractContextManager[Any]:
        load = torch.load

        def forgetful(*args: Any, **kwargs: Any) -> Any:
            kept = load(*args, **kwargs)
            stacked = [len(tensor) == TRAINING_MEMBERS for tensor in kept["params"].values()]
            kept["optimizer"]["state"] = {} if all(stacked) else kept["optimizer"]["state"]
            return kept

        return patch.object(torch, "load", forgetful)


class LastMemberLearnsNoFloat32(DerivativeFault):
    """In float32 the last member learns nothing."""

    breaks = "training.decisions"

    def cotangent(self, tensor: Tensor) -> Tensor:
        if tensor.dtype != torch.float32:
            return tensor
        return self.over_members(lambda each: torch.cat([each[:-1], 0 * each[-1:]]), tensor)


class FirstPlaceLearnsNoFloat32(DerivativeFault):
    """In float32 the member in the first place learns nothing."""

    breaks = "training.seeds"
    also = ("training.decisions",)

    def cotangent(self, tensor: Tensor) -> Tensor:
        if tensor.dtype != torch.float32:
            return tensor
        return self.over_members(lambda each: torch.cat([0 * each[:1], each[1:]]), tensor)


class OptimizerNobodyKnows(Fault):
    """In this torch there is an optimizer that the suite does not cover."""

    breaks = "training.optimizers_covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        return patch.object(torch.optim, "Newest", type("Newest", (torch.optim.SGD,), {}), create=True)


class SchedulerNobodyKnows(Fault):
    """In this torch there is a scheduler that the suite does not cover."""

    breaks = "training.schedulers_covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        newest = type("NewestLR", (torch.optim.lr_scheduler.StepLR,), {})
        return patch.object(torch.optim.lr_scheduler, "NewestLR", newest, create=True)
