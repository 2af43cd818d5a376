"""The check of a variant against the plain loop, before it is timed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.benchmark.utils.timer import timer

from conformance.benchmark.variants import PerMember, Variant, make_optimizer
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import LoopResult, loop

DRAWS = 3


class ExpectedResults:
    """The plain loop's results, computed in float64, for the first, the middle and the last member.

    All members in float64 would take longer than the measurement. These three suffice to show members in a wrong order.
    """

    def __init__(self, models: Sequence[nn.Module], images: Tensor, classes: Tensor) -> None:
        n = len(models)
        self.who = sorted({0, n // 2, n - 1})
        given = [{"x": images[i], "classes": classes[i]} for i in self.who]
        self._answer = loop(_run_member, [models[i] for i in self.who], given, draws=DRAWS)

    def check(self, variant: Variant, task: str) -> float:
        """Run a task once and return its seconds. Raises AssertionError if a member differs beyond the budget."""
        begin = timer()
        actual: Any = getattr(variant, task)()
        seconds: float = timer() - begin
        values, truth, sample = (
            [tree[task] for tree in part] for part in (self._answer.values, self._answer.truth, self._answer.sample)
        )
        stacked = (
            {name: self._of(each) for name, each in actual.items()} if isinstance(actual, Mapping) else self._of(actual)
        )
        assert_members_close(stacked, LoopResult(values, truth, sample), task)
        return seconds

    def _of(self, each: PerMember) -> Tensor:
        return torch.stack([each[i].detach() for i in self.who])


def _run_member(model: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Any]:
    outputs = model(given["x"])
    F.cross_entropy(outputs, given["classes"]).backward()  # type: ignore[no-untyped-call]
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    make_optimizer(model.parameters()).step()
    params = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return {"forward": outputs.detach(), "backward": gradients, "step": params}
