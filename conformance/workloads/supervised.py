"""Something to learn: members with their minibatches and targets, for the loop and for the ensemble."""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from conformance.cases.case import TrainingCase
from conformance.cases.data import SAMPLES
from conformance.cases.members import MEMBERS, members
from conformance.devices.probe import finest
from conformance.implementations.ensemble import Ensemble
from conformance.implementations.protocol import Implementation
from conformance.numerics.assertions import assert_distinct
from conformance.numerics.plain_loop import LoopResult, loop
from conformance.utils.module_state import gradients_in


def loss(output: Tensor, target: Tensor) -> Tensor:
    """The mean squared error, a scalar. (forward over reverse through F.mse_loss fails in torch itself)"""
    return (output - target).square().mean()


class SupervisedTask:
    """`models` and what they learn: with `data` 0 a minibatch and targets for each, with None the same for all.

    `x` is (members, samples, *sample) or (samples, *sample), and `target` likewise. The dtype is the finest that the
    device has, unless one is asked for.
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
        dtype = dtype or finest(device)
        self.data = data
        self.models = members(case.factory, n, device=device, dtype=dtype)
        self.x = case.inputs(*leading, device=device, dtype=dtype)
        self.target = case.targets(*leading, device=device, dtype=dtype)

    @property
    def member_data(self) -> list[dict[str, Tensor]]:
        """What each member is given: its `x` and its `target`."""
        if self.data is None:
            return [{"x": self.x, "target": self.target} for _ in self.models]
        return [{"x": x, "target": target} for x, target in zip(self.x, self.target, strict=True)]

    def loop(self, func: Callable[[nn.Module, Any], Any], *, draws: int = 1) -> LoopResult:
        """`func` of each model and what it is given, in turn; its error is measured `draws` times."""
        return loop(func, self.models, self.member_data, draws=draws)

    def select(self, who: Sequence[int]) -> Self:
        """The lesson of these members alone, in this order."""
        lesson = copy.copy(self)
        lesson.models = [self.models[i] for i in who]
        if self.data == 0:
            lesson.x, lesson.target = self.x[list(who)], self.target[list(who)]
        return lesson

    def ensemble_results(self, implementation: Implementation, **options: Any) -> dict[str, Any]:
        """What `everything` is of a model alone, for all members of a new ensemble; `options` are vmap's."""
        ensemble = Ensemble(implementation, self.models)
        out = ensemble(self.x, self.data, **options)
        (out - self.target).square().flatten(1).mean(1).sum().backward()
        return {"output": out.detach(), "buffers": ensemble.buffers, "gradients": ensemble_gradients(ensemble)}

    def losses(self, ensemble: Ensemble, **options: Any) -> Tensor:
        """The loss of each member, (members,)."""
        losses: Tensor = ensemble.losses(loss, self.x, self.target, data=self.data, **options)
        return losses


def make_two_tasks(case: TrainingCase, device: torch.device | str) -> tuple[SupervisedTask, SupervisedTask]:
    """Lessons of two ensembles of one size, of which no member is in both; each member has a minibatch of its own."""
    both = SupervisedTask(case, 0, device, n=2 * MEMBERS)
    return both.select(range(MEMBERS)), both.select(range(MEMBERS, 2 * MEMBERS))


def member_output(model: nn.Module, given: dict[str, Tensor]) -> Tensor:
    """A model's output alone."""
    out: Tensor = model(given["x"]).detach()
    return out


def member_output_and_buffers(model: nn.Module, given: dict[str, Tensor]) -> dict[str, Any]:
    """A model's output alone, and its buffers after that."""
    return {"output": model(given["x"]).detach(), "buffers": dict(model.named_buffers())}


def member_results(model: nn.Module, given: dict[str, Tensor]) -> dict[str, Any]:
    """A model's output alone, its buffers after that, and what backward gives it, by name."""
    out = model(given["x"])
    loss(out, given["target"]).backward()  # type: ignore[no-untyped-call]
    return {"output": out.detach(), "buffers": dict(model.named_buffers()), "gradients": gradients_in(model)}


def member_gradients(model: nn.Module, given: dict[str, Tensor]) -> dict[str, Tensor | None]:
    """What backward gives a model alone, by name; nothing for what is frozen."""
    loss(model(given["x"]), given["target"]).backward()  # type: ignore[no-untyped-call]
    return gradients_in(model)


def ensemble_gradients(ensemble: Ensemble) -> dict[str, Tensor]:
    """What backward gave the stack, by name; members that agree would prove nothing."""
    found = {}
    for name, tensor in ensemble.trainable.items():
        assert tensor.grad is not None, f"{name} has no gradient"
        found[name] = tensor.grad
    assert_distinct(*next(iter(found.values())))
    return found
