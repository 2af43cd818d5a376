"""Cases of dropouts, in train mode and in eval mode."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, in_eval_mode

SHAPES: Mapping[type[nn.Module], tuple[int, ...]] = MappingProxyType(
    {
        nn.AlphaDropout: (11,),
        nn.Dropout: (11,),
        nn.Dropout1d: (11, 2),
        nn.Dropout2d: (11, 2, 3),
        nn.Dropout3d: (11, 2, 3, 2),
        nn.FeatureAlphaDropout: (11, 2, 3),
    }
)


CASES = (
    *(ModuleCase(cls.__name__, cls, (floats(SAMPLES, *shape),)) for cls, shape in SHAPES.items()),
    *(
        ModuleCase(f"{cls.__name__}-eval", partial(in_eval_mode, cls), (floats(SAMPLES, *shape),))
        for cls, shape in SHAPES.items()
    ),
    ModuleCase("Dropout-none", partial(nn.Dropout, 0.0), (floats(SAMPLES, 11),)),
    ModuleCase(
        "Dropout-inplace", lambda: nn.Sequential(nn.Linear(3, 11), nn.Dropout(inplace=True)), (floats(SAMPLES, 3),)
    ),
)
