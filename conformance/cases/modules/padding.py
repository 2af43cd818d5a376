"""Cases of padding."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase, if_available

INPUTS = {1: (floats(SAMPLES, 3, 11),), 2: (floats(SAMPLES, 3, 4, 6),), 3: (floats(SAMPLES, 3, 4, 6, 3),)}
# The padding of each side, by the number of dimensions.
SIDES: Mapping[int, Any] = MappingProxyType({1: (1, 2), 2: (1, 2, 3, 0), 3: (1, 2, 3, 0, 2, 1)})


def padding_case(dims: int, cls: type[nn.Module]) -> tuple[ModuleCase, ...]:
    """Return the case of a padding module, in a tuple."""
    return (ModuleCase(cls.__name__, partial(cls, SIDES[dims]), INPUTS[dims]),)


CASES = (
    *(
        case
        for dims in (1, 2, 3)
        for kind in ("Circular", "Reflection", "Replication", "Zero")
        for case in if_available(
            nn,
            f"{kind}Pad{dims}d",
            partial(padding_case, dims),
        )
    ),
    ModuleCase("ConstantPad1d", partial(nn.ConstantPad1d, SIDES[1], 0.5), INPUTS[1]),
    ModuleCase("ConstantPad2d", partial(nn.ConstantPad2d, SIDES[2], 0.5), INPUTS[2]),
    ModuleCase("ConstantPad3d", partial(nn.ConstantPad3d, SIDES[3], 0.5), INPUTS[3]),
    ModuleCase("ConstantPad1d-negative", partial(nn.ConstantPad1d, (-2, 1), 0.5), INPUTS[1]),
    ModuleCase("ReflectionPad1d-unbatched", partial(nn.ReflectionPad1d, 2), (floats(3, 11),)),
)
