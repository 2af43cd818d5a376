"""Cases of lazy modules after their first call, which initializes them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, in_eval_mode

SIZES = {1: (11,), 2: (4, 6), 3: (4, 3, 5)}


def initialize(shape: tuple[int, ...], lazy: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
    """Return a lazy module after a call with an input of this shape."""
    module = lazy(*args, **options)
    module(torch.randn(shape))
    return module


CASES = (
    ModuleCase("LazyLinear", partial(initialize, (SAMPLES, 3), nn.LazyLinear, 2), (floats(SAMPLES, 3),)),
    *(
        ModuleCase(
            f"{name}{dims}d",
            partial(initialize, (SAMPLES, 3, *size), getattr(nn, f"{name}{dims}d"), *args),
            (floats(SAMPLES, 3, *size),),
        )
        for name, args in (
            ("LazyConv", (2, 3)),
            ("LazyConvTranspose", (2, 3)),
            ("LazyBatchNorm", ()),
            ("LazyInstanceNorm", ()),
        )
        for dims, size in SIZES.items()
    ),
    ModuleCase(
        "LazyBatchNorm2d-eval",
        partial(in_eval_mode, initialize, (SAMPLES, 3, 4, 6), nn.LazyBatchNorm2d),
        (floats(SAMPLES, 3, 4, 6),),
    ),
)
