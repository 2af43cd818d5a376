"""The optimizers and learning-rate schedulers of torch.optim, each with the settings that it is judged at.

What torch.optim has and this file does not is reported by name: a new release can't bring one that nobody looks at.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import lr_scheduler


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer of torch.optim by name, and the options that it gets."""

    optimizer: str
    name: str = "default"
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, params: Iterable[Tensor]) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = getattr(torch.optim, self.optimizer)(list(params), **self.options)
        return made

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Why this torch or this device can't run it, in its own words, after a step was tried; None if it can."""
        if not hasattr(torch.optim, self.optimizer):
            return f"this torch has no torch.optim.{self.optimizer}"
        try:
            tensor = torch.ones(2, 2, device=device, requires_grad=True)
            tensor.grad = torch.ones_like(tensor)
            self.make([tensor]).step(lambda: 0.0)
        except Exception as error:  # noqa: BLE001 - what can't be done is said in any way
            return f"{self.optimizer} can't be run with {dict(self.options)} here: {error}"
        return None

    def __str__(self) -> str:
        return f"{self.optimizer}-{self.name}"


# Beside its defaults each is tried with options that change what it computes, or keeps, as much as they can.
TUNED: Mapping[str, Mapping[str, Any]] = {
    "ASGD": {"lr": 0.05, "t0": 5, "lambd": 0.01, "weight_decay": 0.1},
    "Adadelta": {"lr": 0.5, "rho": 0.7, "weight_decay": 0.1, "maximize": True},
    "Adagrad": {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.1},
    "Adam": {"lr": 0.01, "betas": (0.7, 0.9), "amsgrad": True, "weight_decay": 0.1},
    "AdamW": {"lr": 0.01, "betas": (0.7, 0.9), "amsgrad": True, "maximize": True},
    "Adamax": {"lr": 0.01, "betas": (0.7, 0.9), "weight_decay": 0.1, "maximize": True},
    "NAdam": {"lr": 0.01, "momentum_decay": 0.1, "weight_decay": 0.1},
    "RAdam": {"lr": 0.01, "betas": (0.7, 0.9), "weight_decay": 0.1},
    "RMSprop": {"lr": 0.01, "momentum": 0.9, "centered": True, "weight_decay": 0.1},
    "Rprop": {"lr": 0.01, "etas": (0.4, 1.3), "step_sizes": (1e-5, 0.1)},
    "SGD": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
}
FUSED = ("Adagrad", "Adam", "AdamW", "SGD")

# Each element is updated from its own gradient alone: the stack is trained as its members would be. Which of foreach
# and the plain loop over tensors is the default depends on the device, so both are asked for by name.
SEPARABLE = [
    setting
    for name, options in TUNED.items()
    for setting in (
        OptimizerConfig(name),
        OptimizerConfig(name, "tuned", {**options, "foreach": False}),
        OptimizerConfig(name, "tuned-foreach", {**options, "foreach": True}),
        *([OptimizerConfig(name, "tuned-fused", {**options, "fused": True})] if name in FUSED else []),
    )
]
# A norm, a line search or a factorization goes over all members: one learns from what another does.
COUPLING = [
    OptimizerConfig("Adafactor"),
    OptimizerConfig("LBFGS"),
    OptimizerConfig("LBFGS", "line-search", {"line_search_fn": "strong_wolfe"}),
]
# Made for matrices: a stack of them has a dimension too many.
REFUSING = [OptimizerConfig("Muon")]
# Takes sparse gradients alone, which vmap does not give.
SPARSE_ONLY = ("SparseAdam",)

Scheduler = Callable[[torch.optim.Optimizer], Any]
SCHEDULERS: Mapping[str, Scheduler] = {
    "ChainedScheduler": lambda it: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(it, 0.5, 2), lr_scheduler.ExponentialLR(it, 0.9)]
    ),
    "ConstantLR": lambda it: lr_scheduler.ConstantLR(it, 0.5, 3),
    "CosineAnnealingLR": lambda it: lr_scheduler.CosineAnnealingLR(it, 4),
    "CosineAnnealingWarmRestarts": lambda it: lr_scheduler.CosineAnnealingWarmRestarts(it, 2),
    "CyclicLR": lambda it: lr_scheduler.CyclicLR(it, 0.01, 0.1, 2),
    "ExponentialLR": lambda it: lr_scheduler.ExponentialLR(it, 0.7),
    "LambdaLR": lambda it: lr_scheduler.LambdaLR(it, lambda step: 1 / (1 + step)),
    "LinearLR": lambda it: lr_scheduler.LinearLR(it, 0.3, 1.0, 4),
    "MultiStepLR": lambda it: lr_scheduler.MultiStepLR(it, [1, 3]),
    "MultiplicativeLR": lambda it: lr_scheduler.MultiplicativeLR(it, lambda _: 0.8),
    "OneCycleLR": lambda it: lr_scheduler.OneCycleLR(it, 0.1, total_steps=9),
    "PolynomialLR": lambda it: lr_scheduler.PolynomialLR(it, 6, 2.0),
    "SequentialLR": lambda it: lr_scheduler.SequentialLR(
        it, [lr_scheduler.ConstantLR(it, 0.5, 2), lr_scheduler.ExponentialLR(it, 0.9)], [2]
    ),
    "StepLR": lambda it: lr_scheduler.StepLR(it, 2, 0.3),
}
# It follows one loss, and an ensemble has one for each member.
LOSS_DRIVEN = ("ReduceLROnPlateau",)


def uncovered_optimizers() -> list[str]:
    """The names of the optimizers of torch.optim that nothing here is about."""
    covered = {setting.optimizer for setting in (*SEPARABLE, *COUPLING, *REFUSING)} | set(SPARSE_ONLY)
    return _others(torch.optim, (torch.optim.Optimizer,), covered)


def uncovered_schedulers() -> list[str]:
    """The names of the schedulers of torch.optim.lr_scheduler that nothing here is about."""
    bases = (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau)
    return _others(lr_scheduler, bases, {*SCHEDULERS, *LOSS_DRIVEN})


def _others(module: Any, bases: tuple[type, ...], covered: set[str]) -> list[str]:
    """Public classes of `module` that derive from one of `bases` and are neither covered nor a base themselves."""
    found = inspect.getmembers(module, lambda each: inspect.isclass(each) and issubclass(each, bases))
    return [name for name, each in found if not name.startswith("_") and name not in covered and each is not bases[0]]
