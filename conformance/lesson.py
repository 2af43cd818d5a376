"""Something to learn: members with their minibatches and targets, for the loop and for the ensemble."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from conformance.assertions import assert_distinct
from conformance.cases import Case
from conformance.ensemble import Ensemble
from conformance.models import MEMBERS, SAMPLES, members
from conformance.numerics import Answer, loop


def loss(output: Tensor, target: Tensor) -> Tensor:
    """The mean squared error, a scalar. (forward over reverse through F.mse_loss fails in torch itself)"""
    return (output - target).square().mean()


class Lesson:
    """`models` and what they learn: with `data` 0 a minibatch and targets for each, with None the same for all.

    `x` is (members, samples, *sample) or (samples, *sample), and `target` likewise.
    """

    def __init__(
        self,
        case: Case,
        data: int | None,
        device: torch.device | str,
        dtype: torch.dtype = torch.float64,
        n: int = MEMBERS,
    ) -> None:
        leading = (n, SAMPLES) if data == 0 else (SAMPLES,)
        self.data = data
        self.models = members(case.factory, n, device=device, dtype=dtype)
        self.x = case.inputs(*leading, device=device, dtype=dtype)
        self.target = case.targets(*leading, device=device, dtype=dtype)

    @property
    def given(self) -> list[dict[str, Tensor]]:
        """What each member is given: its `x` and its `target`."""
        if self.data is None:
            return [{"x": self.x, "target": self.target} for _ in self.models]
        return [{"x": x, "target": target} for x, target in zip(self.x, self.target, strict=True)]

    def loop(self, func: Callable[[nn.Module, Any], Any]) -> Answer:
        """`func` of each model and what it is given, in turn."""
        return loop(func, self.models, self.given)

    def losses(self, ensemble: Ensemble, **options: Any) -> Tensor:
        """The loss of each member, (members,)."""
        losses: Tensor = ensemble.losses(loss, self.x, self.target, data=self.data, **options)
        return losses


def gradients(model: nn.Module, given: dict[str, Tensor]) -> dict[str, Tensor | None]:
    """What backward gives a model alone, by name; nothing for what is frozen."""
    loss(model(given["x"]), given["target"]).backward()  # type: ignore[no-untyped-call]
    return gradients_in(model)


def gradients_in(model: nn.Module) -> dict[str, Tensor | None]:
    """What a model's parameters hold after backward, by name; nothing for what is frozen."""
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}


def gradients_of(ensemble: Ensemble) -> dict[str, Tensor]:
    """What backward gave the stack, by name; members that agree would prove nothing."""
    found = {}
    for name, tensor in ensemble.trainable.items():
        assert tensor.grad is not None, f"{name} has no gradient"
        found[name] = tensor.grad
    assert_distinct(*next(iter(found.values())))
    return found
