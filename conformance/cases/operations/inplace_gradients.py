"""Gradients of in-place operations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

from conformance.cases.operations.inplace_op import InplaceOperation, make_operands, operand_shapes
from conformance.cases.operations.outcome import failure_message
from conformance.utils.probing import ask
from conformance.utils.pytree import is_inexact

# Operations whose derivative needs the values that they overwrite, of which torch keeps a copy.
FROM_OVERWRITTEN = (
    *("F.silu", "F.threshold", "F.threshold_", "Tensor.__idiv__", "Tensor.__imul__", "Tensor.__itruediv__"),
    *("Tensor.abs_", "Tensor.absolute_", "Tensor.acos_", "Tensor.arccos_", "Tensor.arcsin_", "Tensor.arctan2_"),
    *("Tensor.arctan_", "Tensor.asin_", "Tensor.atan2_", "Tensor.atan2_ (row)", "Tensor.atan2_ (scalar)"),
    *("Tensor.atan_", "Tensor.cos_", "Tensor.cosh_", "Tensor.digamma_", "Tensor.div_", "Tensor.div_ (row)"),
    *("Tensor.div_ (scalar)", "Tensor.divide_", "Tensor.erf_", "Tensor.erfc_", "Tensor.erfinv_", "Tensor.i0_"),
    *("Tensor.lgamma_", "Tensor.log10_", "Tensor.log1p_", "Tensor.log2_", "Tensor.log_", "Tensor.logit_"),
    *("Tensor.mul_", "Tensor.mul_ (a column)", "Tensor.mul_ (row)", "Tensor.mul_ (scalar)", "Tensor.multiply_"),
    *("Tensor.mvlgamma_", "Tensor.sin_", "Tensor.sinc_", "Tensor.sinh_", "Tensor.true_divide_"),
    "torch.threshold_",
)


@dataclass(frozen=True)
class InplaceGradient:
    """An in-place operation within a computation: `s` is computed, written to, and reduced to a weighted sum."""

    write: InplaceOperation
    _dimensions: int = field(init=False, repr=False, compare=False)  # of a member's tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "_dimensions", len(operand_shapes()[self.write.on]))

    def gradients(self, run: Callable[..., Tensor], s: Tensor, operands: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the gradients of a weighted sum of `run(s, operands)` in `s` and each operand, by name, dense.

        The tensors are one member's, or stacked with a `run` for all members. Each member has the same weights.
        """
        leaves = {name: leaf.detach().clone() for name, leaf in {"s": s, **operands}.items()}
        inexact = {name: leaf.requires_grad_() for name, leaf in leaves.items() if is_inexact(leaf)}
        self._weighed(run, leaves).backward()  # type: ignore[no-untyped-call]
        return {name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in inexact.items()}

    def gradients_by_grad(self, s: Tensor, operands: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the same gradients of one member by torch.func.grad."""
        leaves = {"s": s, **operands}
        inexact = {name: leaf for name, leaf in leaves.items() if is_inexact(leaf)}
        found: dict[str, Tensor] = torch.func.grad(lambda it: self._weighed(self.write.run, {**leaves, **it}))(inexact)
        return found

    def _weighed(self, run: Callable[..., Tensor], leaves: Mapping[str, Tensor]) -> Tensor:
        out = run(leaves["s"] * 1, {name: leaves[name] for name in self.write.operands})
        numel = out.numel() // (out.shape[0] if out.ndim > self._dimensions else 1)
        weights = torch.linspace(0.5, 2, numel, dtype=torch.float64)
        shape = out.shape[out.ndim - self._dimensions :]
        weighed = (out * weights.reshape(shape).to(out.device, out.dtype)).sum()
        return weighed.real if weighed.is_complex() else weighed

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return torch's reason why it can't be differentiated, or None if it can."""
        return ask(_failure_message, self, device)

    def __str__(self) -> str:
        return (
            f"{self.write.name} (from what it overwrites)" if self.write.name in FROM_OVERWRITTEN else self.write.name
        )


@cache
def _failure_message(operation: InplaceGradient, device: torch.device) -> str | None:
    write = operation.write
    one = {name: tensor[0] for name, tensor in make_operands(1, device).items()}
    operands = {name: one[name] for name in write.operands}
    return failure_message(
        lambda: operation.gradients(write.run, one[write.on], operands),
        f"{write.name} can't be differentiated on {device}",
    )
