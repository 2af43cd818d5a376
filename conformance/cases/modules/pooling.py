"""Cases of pooling: maximum, average, adaptive, fractional, and unpooling."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, if_available

SIZES = {1: (11,), 2: (8, 11), 3: (8, 6, 9)}
INPUTS = {dims: (floats(SAMPLES, 3, *size),) for dims, size in SIZES.items()}
UNBATCHED = (floats(3, 8, 11),)
# Two dimensions cover all options, one and three those with separate implementations.
ALL_OPTIONS_DIMS = 2
COMMON_OPTIONS = {"", "-indices"}

MAX_POOL: Mapping[int, Callable[..., nn.Module]] = MappingProxyType({1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d})
AVG_POOL = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE_MAX_POOL = {1: nn.AdaptiveMaxPool1d, 2: nn.AdaptiveMaxPool2d, 3: nn.AdaptiveMaxPool3d}
ADAPTIVE_AVG_POOL = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
MAX_UNPOOL = {1: nn.MaxUnpool1d, 2: nn.MaxUnpool2d, 3: nn.MaxUnpool3d}
LP_POOL = {1: nn.LPPool1d, 2: nn.LPPool2d}
FRACTIONAL_MAX_POOL = {2: nn.FractionalMaxPool2d, 3: nn.FractionalMaxPool3d}

MAX_POOL_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-stride": {"stride": 1},
        "-padding": {"padding": 1},
        "-dilation": {"dilation": 2, "stride": 1},
        "-ceil": {"ceil_mode": True},
        "-indices": {"return_indices": True},
    }
)
AVG_POOL_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-stride": {"stride": 1},
        "-padding": {"padding": 1},
        "-uncounted": {"padding": 1, "count_include_pad": False},
        "-ceil": {"ceil_mode": True},
    }
)


class PoolAndUnpool(nn.Module):
    """Maximum pooling, then unpooling: each maximum returns to its position, everything else is zero."""

    def __init__(self, pool: nn.Module, undo: nn.Module, output_size: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.pool = pool
        self.undo = undo
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        values, indices = self.pool(x)
        return self.undo(values, indices, self.output_size)


def pool_and_unpool(dims: int, *args: Any, output_size: tuple[int, ...] | None = None) -> nn.Module:
    """Return maximum pooling and unpooling in `dims` dimensions with the same arguments."""
    return PoolAndUnpool(MAX_POOL[dims](*args, return_indices=True), MAX_UNPOOL[dims](*args), output_size)


def fractional_pool_with_samples(dims: int, **options: Any) -> nn.Module:
    """Return fractional pooling with fixed windows; by default they are drawn at each call, also in eval mode."""
    return FRACTIONAL_MAX_POOL[dims](2, 3, _random_samples=torch.rand(SAMPLES, 3, dims) / 2, **options)


CASES = (
    *(
        ModuleCase(f"MaxPool{dims}d{name}", partial(cls, 3, **options), INPUTS[dims])
        for dims, cls in MAX_POOL.items()
        for name, options in MAX_POOL_OPTIONS.items()
        if dims == ALL_OPTIONS_DIMS or name in COMMON_OPTIONS
    ),
    ModuleCase("MaxPool2d-unbatched", partial(nn.MaxPool2d, 2), UNBATCHED),
    ModuleCase("MaxPool2d-uneven", partial(nn.MaxPool2d, (3, 2), (1, 2), (1, 0)), INPUTS[2]),
    *(
        ModuleCase(f"AvgPool{dims}d{name}", partial(cls, 3, **options), INPUTS[dims])
        for dims, cls in AVG_POOL.items()
        for name, options in AVG_POOL_OPTIONS.items()
        if dims == ALL_OPTIONS_DIMS or name in COMMON_OPTIONS
    ),
    ModuleCase("AvgPool2d-divisor", partial(nn.AvgPool2d, 2, divisor_override=3), INPUTS[2]),
    *(ModuleCase(f"AdaptiveMaxPool{dims}d", partial(cls, 3), INPUTS[dims]) for dims, cls in ADAPTIVE_MAX_POOL.items()),
    *(
        ModuleCase(f"AdaptiveMaxPool{dims}d-indices", partial(cls, 2, return_indices=True), INPUTS[dims])
        for dims, cls in ADAPTIVE_MAX_POOL.items()
    ),
    *(ModuleCase(f"AdaptiveAvgPool{dims}d", partial(cls, 3), INPUTS[dims]) for dims, cls in ADAPTIVE_AVG_POOL.items()),
    ModuleCase("AdaptiveAvgPool2d-kept", partial(nn.AdaptiveAvgPool2d, (None, 3)), INPUTS[2]),
    ModuleCase("MaxUnpool1d", partial(pool_and_unpool, 1, 2), (floats(SAMPLES, 3, 6),)),
    ModuleCase("MaxUnpool2d", partial(pool_and_unpool, 2, 2), (floats(SAMPLES, 3, 4, 6),)),
    ModuleCase("MaxUnpool3d", partial(pool_and_unpool, 3, 2), (floats(SAMPLES, 3, 4, 6, 2),)),
    ModuleCase("MaxUnpool2d-stride", partial(pool_and_unpool, 2, 2, 3), (floats(SAMPLES, 3, 8, 11),)),
    ModuleCase("MaxUnpool2d-padding", partial(pool_and_unpool, 2, 3, 3, 1), (floats(SAMPLES, 3, 4, 4),)),
    ModuleCase("MaxUnpool2d-outputsize", partial(pool_and_unpool, 2, 2, output_size=SIZES[2]), INPUTS[2]),
    *(ModuleCase(f"LPPool{dims}d", partial(cls, 2, 3), INPUTS[dims]) for dims, cls in LP_POOL.items()),
    ModuleCase("LPPool2d-ceil", partial(nn.LPPool2d, 4, 3, ceil_mode=True), INPUTS[2]),
    *if_available(nn, "LPPool3d", lambda cls: (ModuleCase("LPPool3d", partial(cls, 2, 2), INPUTS[3]),)),
    *(
        ModuleCase(f"FractionalMaxPool{dims}d", partial(cls, 2, 3), INPUTS[dims])
        for dims, cls in FRACTIONAL_MAX_POOL.items()
    ),
    ModuleCase("FractionalMaxPool2d-ratio", partial(nn.FractionalMaxPool2d, 2, output_ratio=0.5), INPUTS[2]),
    *(
        ModuleCase(f"FractionalMaxPool{dims}d-given", partial(fractional_pool_with_samples, dims), INPUTS[dims])
        for dims in FRACTIONAL_MAX_POOL
    ),
    *(
        ModuleCase(
            f"FractionalMaxPool{dims}d-indices",
            partial(fractional_pool_with_samples, dims, return_indices=True),
            INPUTS[dims],
        )
        for dims in FRACTIONAL_MAX_POOL
    ),
)
