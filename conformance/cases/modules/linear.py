"""Cases of linear layers."""

from functools import partial

from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import ModuleCase

CASES = (
    ModuleCase("Identity", nn.Identity, (floats(7, 3),)),
    ModuleCase("Linear", partial(nn.Linear, 3, 2), (floats(7, 3),)),
    ModuleCase("Linear-nobias", partial(nn.Linear, 3, 2, bias=False), (floats(7, 3),)),
    ModuleCase("Bilinear", partial(nn.Bilinear, 3, 2, 11), (floats(7, 3), floats(7, 2))),
    ModuleCase("Bilinear-nobias", partial(nn.Bilinear, 3, 2, 11, bias=False), (floats(7, 3), floats(7, 2))),
)
