"""Faults for the chapter `determinism`: runs that differ, settings that are not kept, and members that mix."""

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.members import MEMBERS
from conformance.faults.base.derivative import DerivativeFault, TransformFault
from conformance.faults.base.fault import Fault
from conformance.faults.base.vmap import OutputFault, VmapFault
from conformance.faults.chunking import ChunkFault
from conformance.faults.training import OptimizerFault
from conformance.utils.pytree import tree_map
from conformance.utils.torch_settings import deterministic

Run = Callable[..., Any]


class Drift:
    """A factor that makes each number slightly larger than the one before."""

    def __init__(self) -> None:
        self.seen = itertools.count(1)

    def __call__(self, tensor: Tensor) -> Tensor:
        return tensor * (1 + next(self.seen) * 2**-20) if tensor.dtype == torch.float32 else tensor


class OutputsDrift(OutputFault):
    """In float32 each output is slightly larger than the one before."""

    breaks = "determinism.repeated_forward"
    also = ("determinism.repeated_*", "determinism.threads")

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.drift = Drift()

    def output(self, tensor: Tensor) -> Tensor:
        return self.drift(tensor) if tensor.requires_grad else tensor


class GradientsDrift(DerivativeFault):
    """In float32 each gradient is slightly larger than the one before."""

    breaks = "determinism.repeated_backward"
    also = ("determinism.repeated_grad", "determinism.repeated_training")

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.cotangent = Drift()  # type: ignore[method-assign]


class GradDrifts(TransformFault):
    """In float32 each result of grad inside vmap is slightly larger than the one before."""

    breaks = "determinism.repeated_grad"
    transform = "grad"

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.drift = Drift()

    def result(self, found: Any) -> Any:
        return tree_map(self.drift, found)


class LearningDrifts(OptimizerFault):
    """In float32 each step of an optimizer is slightly larger than the one before."""

    breaks = "determinism.repeated_training"

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.drift = Drift()

    def after(self, tensor: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:  # noqa: ARG002
        tensor.data = self.drift(tensor.data)


class SecondThreadCountsTwice(OutputFault):
    """With more than one thread every result is doubled."""

    breaks = "determinism.threads"

    def output(self, tensor: Tensor) -> Tensor:
        return tensor * 2 if torch.get_num_threads() > 1 else tensor


class DeterministicIsCoarse(OutputFault):
    """Under deterministic algorithms outputs are rounded to float32."""

    breaks = "determinism.deterministic_algorithms"

    def output(self, tensor: Tensor) -> Tensor:
        coarse = torch.are_deterministic_algorithms_enabled() and tensor.requires_grad
        return tensor.float().to(tensor.dtype) if coarse else tensor


class DeterministicEndsAtVmap(VmapFault):
    """Inside vmap use_deterministic_algorithms is ignored."""

    breaks = "determinism.deterministic_refusals"
    also = ("determinism.deterministic_memory", "determinism.deterministic_warnings", "determinism.settings")

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        with deterministic(enabled=False):
            return run(func, in_dims, out_dims, args)


class WarningsSwallowed(VmapFault):
    """Warnings inside vmap are suppressed."""

    breaks = "determinism.deterministic_warnings"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return run(func, in_dims, out_dims, args)


class MemoryNotFilled(VmapFault):
    """Inside vmap uninitialized memory is not filled."""

    breaks = "determinism.deterministic_memory"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        memory: Any = torch.utils.deterministic
        memory.fill_uninitialized_memory = False
        try:
            return run(func, in_dims, out_dims, args)
        finally:
            memory.fill_uninitialized_memory = True


class SettingsLostByException(VmapFault):
    """After an exception use_deterministic_algorithms is off."""

    breaks = "determinism.settings"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        try:
            return run(func, in_dims, out_dims, args)
        except Exception:
            torch.use_deterministic_algorithms(False)
            raise


class FirstPlaceCountsMore(OutputFault):
    """The member in the first of five places gets slightly larger outputs."""

    breaks = "determinism.place"
    also = (
        "determinism.chunks",
        "determinism.copies_accepted",
        "determinism.deterministic_algorithms",
        "determinism.number",
        "determinism.threads",
    )

    def output(self, tensor: Tensor) -> Tensor:
        if not tensor.requires_grad or len(tensor) != MEMBERS:
            return tensor
        return torch.cat([tensor[:1] * 1.001, tensor[1:]])


class FewMembersAgree(OutputFault):
    """Each of two or three members returns their mean."""

    breaks = "determinism.number"

    def output(self, tensor: Tensor) -> Tensor:
        few = tensor.requires_grad and 1 < len(tensor) < MEMBERS
        return tensor + (tensor.mean(0) - tensor).detach() if few else tensor


class OthersTimesZero(OutputFault):
    """Other members are masked by a product with zero, which lets NaN and infinity through."""

    breaks = "determinism.company"

    def output(self, tensor: Tensor) -> Tensor:
        return tensor + 0 * tensor.sum(0) if tensor.requires_grad else tensor


class ChunksMoveOn(ChunkFault):
    """In chunks each member gets the output of the one before it."""

    breaks = "determinism.chunks"

    def chunked(self, run: Any, in_dims: Any, out_dims: Any, args: Any, chunk_size: int) -> Any:  # noqa: ARG002
        return run(*args).roll(1, 0)


class CopiesShareMemory(Fault):
    """One module combined N times is stored once and expanded."""

    breaks = "determinism.copies_apart"
    also = ("determinism.copies_accepted",)

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        fmodel, params, buffers = self.inner.combine(models)
        if len({id(model) for model in models}) == len(models):
            return fmodel, params, buffers
        return fmodel, *(tree_map(lambda tensor: tensor[:1].expand_as(tensor), state) for state in (params, buffers))
