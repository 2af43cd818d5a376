"""Cases of convolutions and transposed convolutions."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, WithKeywords

CLASSES = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
SIZES = {1: (11,), 2: (8, 6), 3: (4, 5, 6)}
INPUTS = {dims: (floats(SAMPLES, 2, *size),) for dims, size in SIZES.items()}
# Two dimensions cover all options, one and three those with separate implementations.
ALL_OPTIONS_DIMS = 2
COMMON_OPTIONS = {"", "-same", "-reflect", "-outputpadding"}

OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-nobias": {"bias": False},
        "-stride": {"stride": 2},
        "-padding": {"padding": 1},
        "-dilation": {"dilation": 2, "padding": 1},
        "-groups": {"groups": 2},
        "-valid": {"padding": "valid"},
        "-same": {"padding": "same", "dilation": 2},
        "-zeros": {"padding": 2, "padding_mode": "zeros"},
        "-reflect": {"padding": 2, "padding_mode": "reflect"},
        "-replicate": {"padding": 2, "padding_mode": "replicate"},
        "-circular": {"padding": 2, "padding_mode": "circular"},
    }
)
TRANSPOSED_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-nobias": {"bias": False},
        "-padding": {"padding": 1},
        "-outputpadding": {"stride": 2, "output_padding": 1},
        "-dilation": {"dilation": 2},
        "-groups": {"groups": 2},
    }
)


def with_output_size(layer: nn.Module, *size: int) -> nn.Module:
    """Return a transposed convolution that is called with `output_size`."""
    return WithKeywords(layer, output_size=size)


CASES = (
    *(
        ModuleCase(f"Conv{dims}d{name}", partial(cls, 2, 4, 3, **options), INPUTS[dims])
        for dims, cls in CLASSES.items()
        for name, options in OPTIONS.items()
        if dims == ALL_OPTIONS_DIMS or name in COMMON_OPTIONS
    ),
    ModuleCase("Conv2d-unbatched", partial(nn.Conv2d, 2, 3, 3), (floats(2, 8, 6),)),
    ModuleCase("Conv2d-depthwise", partial(nn.Conv2d, 3, 3, 3, groups=3), (floats(SAMPLES, 3, 8, 6),)),
    ModuleCase(
        "Conv2d-uneven",
        partial(nn.Conv2d, 2, 3, (3, 2), stride=(2, 1), padding=(0, 2), dilation=(1, 3)),
        INPUTS[2],
    ),
    *(
        ModuleCase(f"ConvTranspose{dims}d{name}", partial(cls, 2, 4, 3, **options), INPUTS[dims])
        for dims, cls in TRANSPOSED.items()
        for name, options in TRANSPOSED_OPTIONS.items()
        if dims == ALL_OPTIONS_DIMS or name in COMMON_OPTIONS
    ),
    ModuleCase("ConvTranspose2d-unbatched", partial(nn.ConvTranspose2d, 2, 3, 3), (floats(2, 8, 6),)),
    ModuleCase(
        "ConvTranspose2d-outputsize", lambda: with_output_size(nn.ConvTranspose2d(2, 3, 3, stride=2), 18, 14), INPUTS[2]
    ),
)
