"""Supervised tasks: members with minibatches and targets, for the plain loop and for the ensemble."""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from conformance.cases.case import TrainingCase
from conformance.cases.data import SAMPLES
from conformance.cases.members import MEMBERS, members
from conformance.devices.probe import finest_dtype
from conformance.implementations.ensemble import Ensemble
from conformance.implementations.protocol import Implementation
from conformance.numerics.assertions import assert_distinct
from conformance.numerics.plain_loop import LoopResult, loop
from conformance.utils.module_state import gradients_in

__tracebackhide__ = True  # a failing comparison is shown in the test that asks for it


def loss(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error, a scalar. Forward over reverse through F.mse_loss fails in torch itself."""
    return (output - target).square().mean()


class SupervisedTask:
    """The `models`, their minibatches and their targets.

    With `data` 0 each member has its own minibatch and targets: `x` is (members, samples, *sample). With `data` None
    all members share them: `x` is (samples, *sample). `target` likewise. The default dtype is the finest one that the
    device supports.
    """

    def __init__(
        self,
        case: TrainingCase,
        data: int | None,
        device: torch.device | str,
        dtype: torch.dtype | None = None,
        n: int = MEMBERS,
        samples: int = SAMPLES,
    ) -> None:
        leading = (n, samples) if data == 0 else (samples,)
        dtype = dtype or finest_dtype(device)
        self.data = data
        self.models = members(case.factory, n, device=device, dtype=dtype)
        self.x = case.inputs(*leading, device=device, dtype=dtype)
        self.target = case.targets(*leading, device=device, dtype=dtype)

    @property
    def member_data(self) -> list[dict[str, Tensor]]:
        """The `x` and `target` of each member."""
        if self.data is None:
            return [{"x": self.x, "target": self.target} for _ in self.models]
        return [{"x": x, "target": target} for x, target in zip(self.x, self.target, strict=True)]

    def loop(self, func: Callable[[nn.Module, Any], Any], *, draws: int = 1) -> LoopResult:
        """Return `func(model, data)` of each member in turn; the loop's error is measured `draws` times."""
        return loop(func, self.models, self.member_data, draws=draws)

    def select(self, indices: Sequence[int]) -> Self:
        """Return the task of these members alone, in this order."""
        task = copy.copy(self)
        task.models = [self.models[i] for i in indices]
        if self.data == 0:
            task.x, task.target = self.x[list(indices)], self.target[list(indices)]
        return task

    def ensemble_results(self, implementation: Implementation, **options: Any) -> dict[str, Any]:
        """Return the output, buffers and gradients of a new ensemble, as `member_results`; `options` are vmap's."""
        ensemble = Ensemble(implementation, self.models)
        out = ensemble(self.x, self.data, **options)
        (out - self.target).square().flatten(1).mean(1).sum().backward()
        return {"output": out.detach(), "buffers": ensemble.buffers, "gradients": ensemble_gradients(ensemble)}

    def losses(self, ensemble: Ensemble, **options: Any) -> Tensor:
        """Return the loss of each member, (members,)."""
        losses: Tensor = ensemble.losses(loss, self.x, self.target, data=self.data, **options)
        return losses


def make_two_tasks(case: TrainingCase, device: torch.device | str) -> tuple[SupervisedTask, SupervisedTask]:
    """Return the tasks of two disjoint ensembles of equal size; each member has its own minibatch."""
    both = SupervisedTask(case, 0, device, n=2 * MEMBERS)
    return both.select(range(MEMBERS)), both.select(range(MEMBERS, 2 * MEMBERS))


def member_output(model: nn.Module, data: dict[str, Tensor]) -> Tensor:
    """Return a model's output, detached."""
    out: Tensor = model(data["x"]).detach()
    return out


def member_output_and_buffers(model: nn.Module, data: dict[str, Tensor]) -> dict[str, Any]:
    """Return a model's output, detached, and its buffers after the call."""
    return {"output": model(data["x"]).detach(), "buffers": dict(model.named_buffers())}


def member_results(model: nn.Module, data: dict[str, Tensor]) -> dict[str, Any]:
    """Return a model's output, its buffers after the call, and its gradients by name."""
    out = model(data["x"])
    loss(out, data["target"]).backward()  # type: ignore[no-untyped-call]
    return {"output": out.detach(), "buffers": dict(model.named_buffers()), "gradients": gradients_in(model)}


def member_gradients(model: nn.Module, data: dict[str, Tensor]) -> dict[str, Tensor | None]:
    """Return a model's gradients by name, without frozen parameters."""
    loss(model(data["x"]), data["target"]).backward()  # type: ignore[no-untyped-call]
    return gradients_in(model)


def ensemble_gradients(ensemble: Ensemble) -> dict[str, Tensor]:
    """Return the gradients of the stacked state by name, and assert that members differ in them."""
    found = {}
    for name, tensor in ensemble.trainable.items():
        assert tensor.grad is not None, f"{name} has no gradient"
        found[name] = tensor.grad
    assert_distinct(*next(iter(found.values())))
    return found
