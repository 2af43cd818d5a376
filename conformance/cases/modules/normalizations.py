"""Cases of normalizations."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, if_accepted, if_available, in_eval_mode

BATCH = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
INSTANCE = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
SIZES = {1: (11,), 2: (2, 5), 3: (2, 3, 4)}
INPUTS = {dims: (floats(SAMPLES, 3, *size),) for dims, size in SIZES.items()}
ROWS = (floats(SAMPLES, 3),)
CHANNELS = (floats(SAMPLES, 6, 2, 5),)
# Two dimensions cover all options, which the others share.
ALL_OPTIONS_DIMS = 2

BATCH_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-noaffine": {"affine": False},
        "-nostatistics": {"track_running_stats": False},
        "-cumulative": {"momentum": None},
        "-momentum": {"momentum": 0.7, "eps": 0.1},
    }
)
INSTANCE_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-affine": {"affine": True},
        "-statistics": {"affine": True, "track_running_stats": True},
        "-nomomentum": {"momentum": None, "track_running_stats": True},
    }
)

CASES = (
    *(
        ModuleCase(f"BatchNorm{dims}d{name}", partial(cls, 3, **options), INPUTS[dims])
        for dims, cls in BATCH.items()
        for name, options in BATCH_OPTIONS.items()
        if dims == ALL_OPTIONS_DIMS or not name
    ),
    *(
        ModuleCase(f"BatchNorm{dims}d{name}-eval", partial(in_eval_mode, cls, 3, **BATCH_OPTIONS[name]), INPUTS[dims])
        for dims, cls in BATCH.items()
        for name in ("", "-noaffine", "-nostatistics")
        if dims == ALL_OPTIONS_DIMS or not name
    ),
    ModuleCase("BatchNorm1d-rows", partial(nn.BatchNorm1d, 3), ROWS),
    ModuleCase("BatchNorm1d-rows-eval", partial(in_eval_mode, nn.BatchNorm1d, 3), ROWS),
    *(
        ModuleCase(f"InstanceNorm{dims}d{name}", partial(cls, 3, **options), INPUTS[dims])
        for dims, cls in INSTANCE.items()
        for name, options in INSTANCE_OPTIONS.items()
        if dims == ALL_OPTIONS_DIMS or not name
    ),
    *(
        ModuleCase(
            f"InstanceNorm{dims}d{name}-eval", partial(in_eval_mode, cls, 3, **INSTANCE_OPTIONS[name]), INPUTS[dims]
        )
        for dims, cls in INSTANCE.items()
        for name in ("", "-statistics")
        if dims == ALL_OPTIONS_DIMS
    ),
    ModuleCase("InstanceNorm2d-unbatched", partial(nn.InstanceNorm2d, 3), (floats(3, 2, 11),)),
    *if_accepted(
        nn.BatchNorm2d,
        "bias",
        ModuleCase("BatchNorm2d-nobias", partial(nn.BatchNorm2d, 3, bias=False), INPUTS[2]),
        ModuleCase("InstanceNorm2d-nobias", partial(nn.InstanceNorm2d, 3, affine=True, bias=False), INPUTS[2]),
        ModuleCase("GroupNorm-nobias", partial(nn.GroupNorm, 2, 6, bias=False), CHANNELS),
    ),
    ModuleCase("SyncBatchNorm-eval", partial(in_eval_mode, nn.SyncBatchNorm, 3), INPUTS[2]),
    ModuleCase("GroupNorm", partial(nn.GroupNorm, 2, 6), CHANNELS),
    ModuleCase("GroupNorm-noaffine", partial(nn.GroupNorm, 2, 6, affine=False), CHANNELS),
    ModuleCase("GroupNorm-one", partial(nn.GroupNorm, 1, 6, eps=0.1), CHANNELS),
    ModuleCase("LayerNorm", partial(nn.LayerNorm, 3), ROWS),
    ModuleCase("LayerNorm-shape", partial(nn.LayerNorm, (2, 5)), INPUTS[2]),
    ModuleCase("LayerNorm-noaffine-eps", partial(nn.LayerNorm, 3, elementwise_affine=False, eps=0.1), ROWS),
    *if_accepted(nn.LayerNorm, "bias", ModuleCase("LayerNorm-nobias", partial(nn.LayerNorm, 3, bias=False), ROWS)),
    *if_available(
        nn,
        "RMSNorm",
        lambda cls: (
            ModuleCase("RMSNorm", partial(cls, 3), ROWS),
            ModuleCase("RMSNorm-shape", partial(cls, (2, 5)), INPUTS[2]),
            ModuleCase("RMSNorm-noaffine-eps", partial(cls, 3, elementwise_affine=False, eps=0.1), ROWS),
        ),
    ),
    ModuleCase("LocalResponseNorm", partial(nn.LocalResponseNorm, 2, 0.5, 0.6, 2.0), CHANNELS),
    ModuleCase("CrossMapLRN2d", partial(nn.CrossMapLRN2d, 3, 0.5, 0.6, 2.0), CHANNELS),
)
