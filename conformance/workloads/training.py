"""Training runs: the same steps for members trained one by one and for the stacked state."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.case import TrainingCase
from conformance.cases.data import SAMPLES
from conformance.cases.members import members
from conformance.cases.training_cases import LEARNER
from conformance.devices.probe import finest_dtype
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.plain_loop import LoopResult, loop
from conformance.workloads.supervised import loss

STEPS = 20
TRAINING_MEMBERS = 3
ERROR_DRAWS = 3  # measurements of the loop's error; see conformance.numerics.budget

OptimizerFactory = Callable[[Iterable[Tensor]], torch.optim.Optimizer]


class TrainingRun:
    """Members with their own minibatch and targets in every step, (steps, members, samples, features).

    The dtype is the finest one that the device supports.
    """

    def __init__(self, device: torch.device | str, case: TrainingCase = LEARNER, steps: int = STEPS) -> None:
        self.steps = steps
        dtype = finest_dtype(device)
        self.models = members(case.factory, TRAINING_MEMBERS, device=device, dtype=dtype)
        self.xs = case.inputs(steps, TRAINING_MEMBERS, SAMPLES, device=device, dtype=dtype)
        self.targets = case.targets(steps, TRAINING_MEMBERS, SAMPLES, device=device, dtype=dtype)

    def loop(
        self, func: Callable[[nn.Module, Any], Any], each: Sequence[dict[str, Any]] = ({},) * TRAINING_MEMBERS
    ) -> LoopResult:
        """Return `func(model, data)` of each member in turn.

        `data` has the member's `x` and `target`, (steps, samples, features), and its entries of `each`.
        """
        data = [
            {"x": x, "target": target, **more}
            for x, target, more in zip(self.xs.unbind(1), self.targets.unbind(1), each, strict=True)
        ]
        return loop(func, self.models, data, draws=ERROR_DRAWS)

    def losses(self, ensemble: Ensemble, step: int) -> Tensor:
        """Return the loss of each member in that step, (members,)."""
        losses: Tensor = ensemble.losses(loss, self.xs[step], self.targets[step])
        return losses

    def train(self, ensemble: Ensemble, optimizer: torch.optim.Optimizer, steps: Iterable[int] | None = None) -> None:
        """Train the stacked state on the sum of the members' losses, so that each member gets its own gradient."""
        train(optimizer, lambda step: self.losses(ensemble, step).sum(), range(self.steps) if steps is None else steps)


def train(optimizer: torch.optim.Optimizer, loss_at: Callable[[int], Tensor], steps: Iterable[int]) -> None:
    """Take one optimizer step for each of `steps`, with a closure, which every optimizer accepts."""
    for step in steps:

        def closure(step: int = step) -> float:
            optimizer.zero_grad()
            value = loss_at(step)
            value.backward()  # type: ignore[no-untyped-call]
            return float(value.detach())

        optimizer.step(closure)


def member_trainer(make: OptimizerFactory) -> Callable[[nn.Module, Any], Any]:
    """Return a function for the plain loop that trains one model and returns its `training_result`."""

    def train_member(model: nn.Module, data: Any) -> Any:
        optimizer = make(model.parameters())
        train(optimizer, lambda step: loss(model(data["x"][step]), data["target"][step]), range(len(data["x"])))
        return training_result(dict(model.named_parameters()), optimizer)

    return train_member


def training_result(params: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the parameters and the optimizer's state of their shape, such as momentum, by name.

    Step counts are left out, since they belong to no single member.
    """
    state = {
        name: {
            key: value
            for key, value in optimizer.state[tensor].items()
            if isinstance(value, Tensor) and value.shape == tensor.shape
        }
        for name, tensor in params.items()
    }
    return {"params": {name: tensor.detach() for name, tensor in params.items()}, "state": state}
