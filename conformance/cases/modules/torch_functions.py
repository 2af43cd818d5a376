"""Cases of functions of torch that models call and that have no module: products, indexing, sorting and sums."""

from functools import partial

import torch
from torch import Tensor

from conformance.cases.inputs import booleans, floats, integers
from conformance.cases.modules.case import SAMPLES, function_case

ROWS = floats(SAMPLES, 11)


def write_by_mask(x: Tensor, mask: Tensor) -> Tensor:
    """Write to a copy of `x` at a mask."""
    copy = x.clone()
    copy[mask] = 0.5
    return copy


CASES = (
    function_case("einsum", partial(torch.einsum, "bi,ij,bj->b"), floats(SAMPLES, 3), floats(3, 2), floats(SAMPLES, 2)),
    function_case("matmul", torch.matmul, floats(SAMPLES, 2, 3), floats(3, 11)),
    function_case("cdist", torch.cdist, floats(SAMPLES, 2, 3), floats(SAMPLES, 4, 3)),
    function_case("gather", lambda x, index: x.gather(1, index), ROWS, integers(11, SAMPLES, 2)),
    function_case(
        "scatter_add", lambda x, index: torch.zeros_like(x).scatter_add(1, index, x), ROWS, integers(11, SAMPLES, 11)
    ),
    function_case(
        "index", lambda x, index: x[torch.arange(len(x), device=x.device), index], ROWS, integers(11, SAMPLES)
    ),
    function_case("index_put", write_by_mask, ROWS, booleans(SAMPLES, 11)),
    function_case("masked_select", torch.masked_select, ROWS, booleans(SAMPLES, 11)),
    function_case("sort", partial(torch.sort, dim=1), ROWS),
    function_case("topk", partial(torch.topk, k=2, dim=1), ROWS),
    function_case("cumsum", partial(torch.cumsum, dim=1), ROWS),
    function_case("fft", torch.fft.rfft, ROWS),
    function_case(
        "solve",
        lambda x, y: torch.linalg.solve(x @ x.mT + torch.eye(3, dtype=x.dtype, device=x.device), y),
        floats(SAMPLES, 3, 3),
        floats(SAMPLES, 3, 2),
    ),
)
