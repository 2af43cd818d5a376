"""A course of training: the same steps for members that learn alone and for the stack that learns at once."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.case import TrainingCase
from conformance.cases.data import SAMPLES
from conformance.cases.members import members
from conformance.cases.training_cases import LEARNER
from conformance.devices.probe import finest
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.plain_loop import LoopResult, loop
from conformance.workloads.supervised import loss

STEPS = 20
TRAINING_MEMBERS = 3
ERROR_DRAWS = 3  # of the loop's error: numerics says why

OptimizerFactory = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


class TrainingRun:
    """Members with a minibatch and targets of their own in every step: (steps, members, samples, features).

    In the finest dtype that the device has.
    """

    def __init__(self, device: torch.device | str, case: TrainingCase = LEARNER, steps: int = STEPS) -> None:
        self.steps = steps
        dtype = finest(device)
        self.models = members(case.factory, TRAINING_MEMBERS, device=device, dtype=dtype)
        self.xs = case.inputs(steps, TRAINING_MEMBERS, SAMPLES, device=device, dtype=dtype)
        self.targets = case.targets(steps, TRAINING_MEMBERS, SAMPLES, device=device, dtype=dtype)

    def loop(
        self, func: Callable[[nn.Module, Any], Any], each: Sequence[dict[str, Any]] = ({},) * TRAINING_MEMBERS
    ) -> LoopResult:
        """`func` of each model and what it is given: its `x`, (steps, samples, features), `target`, and its `each`."""
        given = [
            {"x": x, "target": target, **more}
            for x, target, more in zip(self.xs.unbind(1), self.targets.unbind(1), each, strict=True)
        ]
        return loop(func, self.models, given, draws=ERROR_DRAWS)

    def losses(self, ensemble: Ensemble, step: int) -> Tensor:
        """The loss of each member in that step, (members,)."""
        losses: Tensor = ensemble.losses(loss, self.xs[step], self.targets[step])
        return losses

    def train(self, ensemble: Ensemble, optimizer: torch.optim.Optimizer, steps: Iterable[int] | None = None) -> None:
        """Train the stack: the members' losses are added up, so that each gets its own gradient."""
        train(optimizer, lambda step: self.losses(ensemble, step).sum(), range(self.steps) if steps is None else steps)


def train(optimizer: torch.optim.Optimizer, loss_at: Callable[[int], Tensor], steps: Iterable[int]) -> None:
    """One step of the optimizer for each of `steps`, as any optimizer takes it: with a closure."""
    for step in steps:

        def closure(step: int = step) -> float:
            optimizer.zero_grad()
            value = loss_at(step)
            value.backward()  # type: ignore[no-untyped-call]
            return float(value.detach())

        optimizer.step(closure)


def member_trainer(make: OptimizerFactory) -> Callable[[nn.Module, Any], Any]:
    """For the loop: train a model alone; its parameters and what the optimizer keeps for each."""

    def alone(model: nn.Module, given: Any) -> Any:
        optimizer = make(model.parameters())
        train(optimizer, lambda step: loss(model(given["x"][step]), given["target"][step]), range(len(given["x"])))
        return training_result(dict(model.named_parameters()), optimizer)

    return alone


def training_result(params: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The parameters, and what the optimizer keeps of their shape, such as momentum; step counts are of no member."""
    kept = {
        name: {
            key: value
            for key, value in optimizer.state[tensor].items()
            if isinstance(value, Tensor) and value.shape == tensor.shape
        }
        for name, tensor in params.items()
    }
    return {"params": {name: tensor.detach() for name, tensor in params.items()}, "state": kept}
