"""Functions of torch itself that models call and no module stands for: products, choices, orders and sums."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from conformance.cases.inputs import booleans, floats, integers
from conformance.cases.modules.case import SAMPLES, Function, ModuleCase

ROWS = floats(SAMPLES, 11)


def of(name: str, function: Callable[..., Any], *inputs: Any) -> ModuleCase:
    return ModuleCase(name, partial(Function, function), inputs)


def written(x: Tensor, mask: Tensor) -> Tensor:
    """By a mask, into a copy."""
    copy = x.clone()
    copy[mask] = 0.5
    return copy


CASES = (
    of("einsum", partial(torch.einsum, "bi,ij,bj->b"), floats(SAMPLES, 3), floats(3, 2), floats(SAMPLES, 2)),
    of("matmul", torch.matmul, floats(SAMPLES, 2, 3), floats(3, 11)),
    of("cdist", torch.cdist, floats(SAMPLES, 2, 3), floats(SAMPLES, 4, 3)),
    of("gather", lambda x, index: x.gather(1, index), ROWS, integers(11, SAMPLES, 2)),
    of("scatter_add", lambda x, index: torch.zeros_like(x).scatter_add(1, index, x), ROWS, integers(11, SAMPLES, 11)),
    of("index", lambda x, index: x[torch.arange(len(x), device=x.device), index], ROWS, integers(11, SAMPLES)),
    of("index_put", written, ROWS, booleans(SAMPLES, 11)),
    of("masked_select", torch.masked_select, ROWS, booleans(SAMPLES, 11)),
    of("sort", partial(torch.sort, dim=1), ROWS),
    of("topk", partial(torch.topk, k=2, dim=1), ROWS),
    of("cumsum", partial(torch.cumsum, dim=1), ROWS),
    of("fft", torch.fft.rfft, ROWS),
    of(
        "solve",
        lambda x, y: torch.linalg.solve(x @ x.mT + torch.eye(3, dtype=x.dtype, device=x.device), y),
        floats(SAMPLES, 3, 3),
        floats(SAMPLES, 3, 2),
    ),
)
