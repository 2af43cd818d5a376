"""The plain loop's own error, compared with what rounding alone can explain."""

from torch import Tensor

from conformance.numerics.budget import max_error
from conformance.numerics.plain_loop import LoopResult, PlainLoopError
from conformance.utils.pytree import is_inexact, leaves


def check_plausible(result: LoopResult, allowed: float) -> None:
    """Raise PlainLoopError if a tensor of the loop is off by more than this share of its largest element."""
    for i, (values, truths) in enumerate(zip(result.values, result.truth, strict=True)):
        for (name, value), (_, truth) in zip(leaves(values, "the loop's"), leaves(truths, ""), strict=True):
            if is_inexact(truth) and (off := relative_error(value, truth)) > allowed:
                raise PlainLoopError(
                    f"the plain loop itself is wrong: member {i}: {name} differs from float64 on the CPU by {off:.3g} "
                    f"of its largest element; rounding explains {allowed:.3g} at most"
                )


def relative_error(value: Tensor, truth: Tensor) -> float:
    """Return the largest |value - truth| as a share of the largest |truth|."""
    return max_error(value, truth) / float(truth.detach().abs().max())
