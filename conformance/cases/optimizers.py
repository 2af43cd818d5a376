"""The optimizers and learning-rate schedulers of torch.optim, each with the options that are tested.

Optimizers and schedulers of torch.optim that are missing here are reported by name, such as those of a new release.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import lr_scheduler

from conformance.utils.probing import without_warnings
from conformance.utils.text import first_line


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer of torch.optim by name, with its options."""

    optimizer: str
    name: str = "default"
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, params: Iterable[Tensor]) -> torch.optim.Optimizer:
        """Return the optimizer of these parameters."""
        made: torch.optim.Optimizer = getattr(torch.optim, self.optimizer)(list(params), **self.options)
        return made

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the error of one step on this device, or None if it works."""
        if not hasattr(torch.optim, self.optimizer):
            return f"this torch has no torch.optim.{self.optimizer}"
        try:
            with without_warnings():
                tensor = torch.ones(2, 2, device=device, requires_grad=True)
                tensor.grad = torch.ones_like(tensor)
                self.make([tensor]).step(lambda: 0.0)
        except Exception as error:  # noqa: BLE001 - an optimizer may refuse with any exception
            return f"{self.optimizer} can't be run with {dict(self.options)} here: {first_line(error)}"
        return None

    def __str__(self) -> str:
        return f"{self.optimizer}-{self.name}"


# Besides the defaults, each is tested with options that change its computation and state as much as possible.
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

# Each element is updated from its own gradient alone, so a stack trains like its members. The device decides whether
# foreach or the loop over tensors is the default, so both are selected explicitly.
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
# A norm, a line search or a factorization covers all members, so that a member's update depends on the others.
COUPLING = [
    OptimizerConfig("Adafactor"),
    OptimizerConfig("LBFGS"),
    OptimizerConfig("LBFGS", "line-search", {"line_search_fn": "strong_wolfe"}),
]
# Accepts matrices only: a stack of matrices has one dimension more.
REFUSING = [OptimizerConfig("Muon")]
# Accepts sparse gradients only, which vmap does not produce.
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
# Depends on a single loss, while an ensemble has one per member.
LOSS_DRIVEN = ("ReduceLROnPlateau",)


def uncovered_optimizers() -> list[str]:
    """Return the names of the optimizers of torch.optim without an entry here."""
    covered = {setting.optimizer for setting in (*SEPARABLE, *COUPLING, *REFUSING)} | set(SPARSE_ONLY)
    return _others(torch.optim, (torch.optim.Optimizer,), covered)


def uncovered_schedulers() -> list[str]:
    """Return the names of the schedulers of torch.optim.lr_scheduler without an entry here."""
    bases = (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau)
    return _others(lr_scheduler, bases, {*SCHEDULERS, *LOSS_DRIVEN})


def _others(module: Any, bases: tuple[type, ...], covered: set[str]) -> list[str]:
    """Return the public subclasses of `bases` in `module` that are neither covered nor the first base itself."""
    found = inspect.getmembers(module, lambda each: inspect.isclass(each) and issubclass(each, bases))
    return [name for name, each in found if not name.startswith("_") and name not in covered and each is not bases[0]]
