"""Runs of a case in a dtype under a numeric setting: members one by one, and as an ensemble.

The truth is float64 on the CPU without any setting. The budget comes from the plain loop on the same device, in the
same dtype and under the same setting. The loop itself is checked by `check_plausible`.
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
from conformance.numerics.plain_loop import LoopResult, loop
from conformance.utils.module_state import gradients_in
from conformance.utils.text import text_of
from conformance.workloads.plausibility import check_plausible
from conformance.workloads.supervised import SupervisedTask, ensemble_gradients

SettingContext = Callable[[str], AbstractContextManager[None]]
MemberFunction = Callable[[SettingContext, nn.Module, Any], Any]

# The error that a plain loop may have, in roundings of the largest element: for outputs and buffers, and for gradients
# and parameters. tests/meta/numerics/derive_parity.py found at most 4.9 and 39 over 300 seeds (torch 2.13.0, CPU). A
# wrong result, as opposed to a rounded one, is off by a thousand or more in float32.
MAX_OUTPUT_ROUNDINGS = 16.0
MAX_GRADIENT_ROUNDINGS = 128.0
ERROR_DRAWS = 3
FLOAT32_EPS = torch.finfo(torch.float32).eps


def without_setting(_: str) -> AbstractContextManager[None]:
    """Return a context that applies no setting in any scope."""
    return nullcontext()


@dataclass(frozen=True)
class Setup:
    """A case in a dtype under a setting."""

    case: TrainingCase
    dtype: torch.dtype
    setting: NumericSetting = NO_SETTING

    @property
    def rounding(self) -> float:
        """The largest relative error of one rounding on the way; a setting makes only float32 coarser."""
        eps = torch.finfo(self.dtype).eps
        return max(eps, self.setting.rounding) if eps == FLOAT32_EPS else eps

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the device's reason why it can't run the setup, or None if it can."""
        return (
            self.setting.unavailable_reason(device)
            or probe.dtype_unavailable_reason(device, self.dtype)
            or _kernel_unavailable_reason(self, device)
        )

    def __str__(self) -> str:
        return "-".join(filter(None, (str(self.case), str(self.dtype).removeprefix("torch."), str(self.setting))))


class PrecisionRun:
    """Members in a setup, with minibatches and targets.

    With `data` 0 each member has its own; with None all members share them.
    """

    def __init__(
        self, setup: Setup, data: int | None, device: torch.device | str, n: int = MEMBERS, samples: int = SAMPLES
    ) -> None:
        self.setup, self.device = setup, torch.device(device)
        self.task = SupervisedTask(setup.case, data, device, setup.dtype, n, samples)

    @contextmanager
    def around(self, scope: str) -> Iterator[None]:
        """Apply the setting if it belongs to this scope; the outermost scope starts from full precision."""
        start = FULL_PRECISION() if scope == EVERYTHING else nullcontext()
        with start, self.setup.setting.around(scope, self.device):
            yield

    def loop(self, func: MemberFunction) -> LoopResult:
        """Return `func` of each model and its data; raise PlainLoopError if rounding can't explain the loop's error."""
        # Numbers of few bits, and small tensors, are exact by chance: several draws measure the error reliably.
        result = loop(
            partial(func, self.around),
            self.task.models,
            self.task.member_data,
            draws=ERROR_DRAWS,
            plain=partial(func, without_setting),
            rounding=self.setup.rounding,
        )
        check_plausible(
            result,
            self.setup.rounding * (MAX_OUTPUT_ROUNDINGS if func is output_under_setting else MAX_GRADIENT_ROUNDINGS),
        )
        return result

    def output(self, ensemble: Ensemble, x: Tensor) -> Tensor:
        """Return the ensemble's output under the setting, (members, samples, *output)."""

        def member(params: Any, buffers: Any, x: Tensor) -> Tensor:
            with self.around(MEMBER):
                return ensemble.member(params, buffers, x)

        with self.around(CALL):
            return ensemble.map(member, x, data=self.task.data)

    def ensemble_output(self, implementation: Implementation) -> dict[str, Any]:
        """Return the output and buffers of a new ensemble, as `output_under_setting` does for one model."""
        ensemble = Ensemble(implementation, self.task.models)
        with self.around(EVERYTHING):
            out = self.output(ensemble, self.task.x)
        return {"output": promote_output(out, self.task.x), "buffers": ensemble.buffers}

    def ensemble_gradients(self, implementation: Implementation) -> dict[str, Any]:
        """Return the gradients of a new ensemble by backward, as `gradients_under_setting` does for one model."""
        ensemble = Ensemble(implementation, self.task.models)
        x = self.task.x.detach().requires_grad_()
        with self.around(EVERYTHING):
            self._backward(ensemble, x)
        return {"gradients": ensemble_gradients(ensemble), "input": x.grad}

    def ensemble_step(self, implementation: Implementation) -> dict[str, Any]:
        """Return a new ensemble after one optimizer step, as `step_under_setting` does for one model."""
        ensemble = Ensemble(implementation, self.task.models)
        optimizer = make_optimizer(ensemble.params)
        with self.around(EVERYTHING):
            self._backward(ensemble, self.task.x)
            optimizer.step()
        return optimizer_state(ensemble.params, optimizer)

    def ensemble_grad(self, implementation: Implementation) -> dict[str, Any]:
        """Return the gradients of a new ensemble by torch.func.grad inside vmap: those of `grad_under_setting`."""
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


def output_under_setting(around: SettingContext, model: nn.Module, data: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return a model's output and its buffers after the call."""
    with around(EVERYTHING):
        out = _output(around, model, data["x"])
    return {"output": promote_output(out, data["x"]), "buffers": dict(model.named_buffers())}


def gradients_under_setting(around: SettingContext, model: nn.Module, data: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return a model's gradients and that of its input, by backward."""
    x = data["x"].detach().requires_grad_()
    with around(EVERYTHING):
        mean_squared_distance(_output(around, model, x), data["target"]).backward()  # type: ignore[no-untyped-call]
    return {"gradients": gradients_in(model), "input": x.grad}


def step_under_setting(around: SettingContext, model: nn.Module, data: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return a model's parameters and the optimizer's momentum after one step."""
    params = dict(model.named_parameters())
    optimizer = make_optimizer(params)
    with around(EVERYTHING):
        mean_squared_distance(_output(around, model, data["x"]), data["target"]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return optimizer_state(params, optimizer)


def grad_under_setting(around: SettingContext, model: nn.Module, data: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the same as `gradients_under_setting`, with the setting also around backward, as in grad inside vmap."""
    x = data["x"].detach().requires_grad_()
    params = dict(model.named_parameters())
    with around(EVERYTHING), around(CALL):
        with around(MEMBER):
            out = model(x)
        *found, into = torch.autograd.grad(mean_squared_distance(out, data["target"]), [*params.values(), x])
    return {"gradients": dict(zip(params, found, strict=True)), "input": into}


def promote_output(output: Tensor, x: Tensor) -> Tensor:
    """Return an output, detached, in the wider of its own and its minibatch's dtype.

    The dtype of an output under autocast is the subject of another requirement.
    """
    return output.detach().to(torch.promote_types(output.dtype, x.dtype))


def mean_squared_distance(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared distance, a real scalar also for complex numbers."""
    gap = output - target
    return (gap * gap.conj()).real.mean()


def make_optimizer(params: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    """Return SGD with momentum.

    Other optimizers divide by the size of a gradient, so that rounding would decide the quotient in low precision.
    """
    return torch.optim.SGD(params.values(), lr=0.1, momentum=0.9, weight_decay=0.1)


def optimizer_state(params: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the parameters and the optimizer's momentum, by name."""
    return {
        "params": {name: tensor.detach() for name, tensor in params.items()},
        "momentum": {name: optimizer.state[tensor]["momentum_buffer"] for name, tensor in params.items()},
    }


def _output(around: SettingContext, model: nn.Module, x: Tensor) -> Tensor:
    with around(CALL), around(MEMBER):
        return model(x)


@cache
def _kernel_unavailable_reason(setup: Setup, device: torch.device) -> str | None:
    """Return the error of a plain module without a kernel for this dtype, else None. The test reports other errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run = PrecisionRun(setup, 0, device, n=1, samples=2)
            gradients_under_setting(run.around, run.task.models[0], run.task.member_data[0])
        except Exception as error:  # noqa: BLE001 - the test reports any other error
            message = " ".join(text_of(error).split())
            if re.search("not (implemented|supported)|unsupported", message):
                return f"{device} can't: {message}"
    return None
