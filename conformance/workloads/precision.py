"""The same numbers in every dtype under every setting: what a member computes alone, and what it computes in a stack.

The truth is float64 on the CPU without any setting. The budget comes from the plain loop on the same device, in the
same dtype, under the same setting, and the loop answers for itself too (`plausible`).
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.case import TrainingCase
from conformance.cases.data import SAMPLES
from conformance.cases.members import MEMBERS
from conformance.cases.numeric_settings import CALL, EVERYTHING, FULL_PRECISION, MEMBER, NO_SETTING, NumericSetting
from conformance.devices import probe
from conformance.implementations.ensemble import Ensemble
from conformance.implementations.protocol import Implementation
from conformance.numerics.budget import error
from conformance.numerics.plain_loop import LoopResult, PlainLoopError, loop
from conformance.utils.module_state import gradients_in
from conformance.utils.pytree import is_inexact, leaves
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients

SettingContext = Callable[[str], AbstractContextManager[None]]
MemberFunction = Callable[[SettingContext, nn.Module, Any], Any]

# How many roundings of its largest element a plain loop's output, buffer, gradient or parameter may be off. The most
# that tests/meta/derive_parity.py found over 300 seeds (torch 2.13.0, CPU) was 4.9 for outputs and buffers and 39 for
# the others. A device that is wrong, and does not round, is off by a thousand in float32.
MAX_OUTPUT_ROUNDINGS = 16.0
MAX_GRADIENT_ROUNDINGS = 128.0
ERROR_DRAWS = 3
FLOAT32_EPS = torch.finfo(torch.float32).eps


def without_setting(_: str) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Setup:
    """A case in a dtype under a setting."""

    case: TrainingCase
    dtype: torch.dtype
    setting: NumericSetting = NO_SETTING

    @property
    def rounding(self) -> float:
        """What one rounding of a number near 1 costs in the coarsest step on the way: settings are about float32."""
        eps = torch.finfo(self.dtype).eps
        return max(eps, self.setting.rounding) if eps == FLOAT32_EPS else eps

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Why the device can't run it, in its own words; None if it can."""
        return (
            self.setting.unavailable_reason(device)
            or probe.dtype_unavailable_reason(device, self.dtype)
            or _kernel_unavailable_reason(self, device)
        )

    def __str__(self) -> str:
        return "-".join(filter(None, (str(self.case), str(self.dtype).removeprefix("torch."), str(self.setting))))


class PrecisionRun:
    """Members in a setup, with minibatches and targets: `data` is 0 for some of each, None for the same for all."""

    def __init__(
        self, setup: Setup, data: int | None, device: torch.device | str, n: int = MEMBERS, samples: int = SAMPLES
    ) -> None:
        self.setup, self.device = setup, torch.device(device)
        self.task = SupervisedTask(setup.case, data, device, setup.dtype, n, samples)

    @contextmanager
    def around(self, scope: str) -> Iterator[None]:
        """The setting, if it is around that; everything starts from full precision."""
        start = FULL_PRECISION() if scope == EVERYTHING else nullcontext()
        with start, self.setup.setting.around(scope, self.device):
            yield

    def loop(self, func: MemberFunction) -> LoopResult:
        """`func` of each model and what it is given; PlainLoopError if the loop is farther off than rounding goes."""
        models, given = self.task.models, self.task.member_data
        # Numbers of few bits are exact by luck too often, and small tensors in any: numerics says how much it takes.
        answer = loop(
            partial(func, self.around),
            models,
            given,
            draws=ERROR_DRAWS,
            plain=partial(func, without_setting),
            rounding=self.setup.rounding,
        )
        check_plausible(
            answer,
            self.setup.rounding * (MAX_OUTPUT_ROUNDINGS if func is output_under_setting else MAX_GRADIENT_ROUNDINGS),
        )
        return answer

    def output(self, ensemble: Ensemble, x: Tensor) -> Tensor:
        """The ensemble's output, (members, samples, *output), under the setting."""

        def member(params: Any, buffers: Any, x: Tensor) -> Tensor:
            with self.around(MEMBER):
                return ensemble.member(params, buffers, x)

        with self.around(CALL):
            return ensemble.map(member, x, data=self.task.data)

    def ensemble_output(self, implementation: Implementation) -> dict[str, Any]:
        """What `answered` is of a model alone, for all members of a new ensemble."""
        ensemble = Ensemble(implementation, self.task.models)
        with self.around(EVERYTHING):
            out = self.output(ensemble, self.task.x)
        return {"output": promote_output(out, self.task.x), "buffers": ensemble.buffers}

    def ensemble_gradients(self, implementation: Implementation) -> dict[str, Any]:
        """What `learned` is of a model alone, for all members of a new ensemble, each with an input of its own."""
        ensemble = Ensemble(implementation, self.task.models)
        x = self.task.x.detach().requires_grad_()
        with self.around(EVERYTHING):
            self._backward(ensemble, x)
        return {"gradients": ensemble_gradients(ensemble), "input": x.grad}

    def ensemble_step(self, implementation: Implementation) -> dict[str, Any]:
        """What `stepped` is of a model alone, for all members of a new ensemble."""
        ensemble = Ensemble(implementation, self.task.models)
        optimizer = make_optimizer(ensemble.params)
        with self.around(EVERYTHING):
            self._backward(ensemble, self.task.x)
            optimizer.step()
        return optimizer_state(ensemble.params, optimizer)

    def ensemble_grad(self, implementation: Implementation) -> dict[str, Any]:
        """What `differentiated` is of a model alone, by grad inside vmap."""
        ensemble = Ensemble(implementation, self.task.models)

        def of_member(params: Any, buffers: Any, x: Tensor, target: Tensor) -> Tensor:
            with self.around(MEMBER):
                out = ensemble.member(params, buffers, x)
            return mean_squared_distance(out, target)

        with self.around(EVERYTHING), self.around(CALL):
            found = ensemble.map(
                torch.func.grad(of_member, argnums=(0, 2)), self.task.x, self.task.target, data=self.task.data
            )
        return {"gradients": found[0], "input": found[1]}

    def _backward(self, ensemble: Ensemble, x: Tensor) -> None:
        gap = self.output(ensemble, x) - self.task.target
        (gap * gap.conj()).real.flatten(1).mean(1).sum().backward()  # type: ignore[no-untyped-call]


def output_under_setting(around: SettingContext, model: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Any]:
    """A model's output alone, and its buffers after that."""
    with around(EVERYTHING):
        out = _output(around, model, given["x"])
    return {"output": promote_output(out, given["x"]), "buffers": dict(model.named_buffers())}


def gradients_under_setting(around: SettingContext, model: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Any]:
    """What backward gives a model alone, and its input."""
    x = given["x"].detach().requires_grad_()
    with around(EVERYTHING):
        mean_squared_distance(_output(around, model, x), given["target"]).backward()  # type: ignore[no-untyped-call]
    return {"gradients": gradients_in(model), "input": x.grad}


def step_under_setting(around: SettingContext, model: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Any]:
    """A model's parameters after one step alone, and what the optimizer keeps."""
    params = dict(model.named_parameters())
    optimizer = make_optimizer(params)
    with around(EVERYTHING):
        mean_squared_distance(_output(around, model, given["x"]), given["target"]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return optimizer_state(params, optimizer)


def grad_under_setting(around: SettingContext, model: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Any]:
    """The same as `learned`, with the setting around backward as it is around grad inside vmap."""
    x = given["x"].detach().requires_grad_()
    params = dict(model.named_parameters())
    with around(EVERYTHING), around(CALL):
        with around(MEMBER):
            out = model(x)
        *found, into = torch.autograd.grad(mean_squared_distance(out, given["target"]), [*params.values(), x])
    return {"gradients": dict(zip(params, found, strict=True)), "input": into}


def promote_output(output: Tensor, x: Tensor) -> Tensor:
    """An output in the dtype of its minibatch, if that is wider: which one autocast leaves is a question of its own."""
    return output.detach().to(torch.promote_types(output.dtype, x.dtype))


def mean_squared_distance(output: Tensor, target: Tensor) -> Tensor:
    """The mean squared distance, a real scalar, also between complex numbers."""
    gap = output - target
    return (gap * gap.conj()).real.mean()


def make_optimizer(params: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    """SGD alone is judged in every precision: others divide by a gradient's size, and rounding decides the quotient."""
    return torch.optim.SGD(params.values(), lr=0.1, momentum=0.9, weight_decay=0.1)


def optimizer_state(params: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The parameters, and the momentum that the optimizer keeps for each."""
    return {
        "params": {name: tensor.detach() for name, tensor in params.items()},
        "momentum": {name: optimizer.state[tensor]["momentum_buffer"] for name, tensor in params.items()},
    }


def check_plausible(answer: LoopResult, allowed: float) -> None:
    """PlainLoopError if a tensor of the loop is off by more than this share of its largest element."""
    for i, (values, truths) in enumerate(zip(answer.values, answer.truth, strict=True)):
        for (name, value), (_, truth) in zip(leaves(values, "the loop's"), leaves(truths, ""), strict=True):
            if is_inexact(truth) and (off := relative_error(value, truth)) > allowed:
                raise PlainLoopError(
                    f"the plain loop is wrong itself: member {i}: {name} differs from float64 on the CPU by {off:.3g} "
                    f"of its largest element, and rounding by {allowed:.3g} at most"
                )


def relative_error(value: Tensor, truth: Tensor) -> float:
    """The largest |value - truth| as a share of the largest |truth|."""
    return error(value, truth) / float(truth.detach().abs().max())


def _output(around: SettingContext, model: nn.Module, x: Tensor) -> Tensor:
    with around(CALL), around(MEMBER):
        return model(x)


@cache
def _kernel_unavailable_reason(setup: Setup, device: torch.device) -> str | None:
    """What a plain module says that has no kernel for this dtype. Any other failure is the test's to report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exercise = PrecisionRun(setup, 0, device, n=1, samples=2)
        try:
            gradients_under_setting(exercise.around, exercise.task.models[0], exercise.task.member_data[0])
        except RuntimeError as error:
            said = " ".join(str(error).split())
            return f"{device} can't: {said}" if re.search("not (implemented|supported)|unsupported", said) else None
    return None
