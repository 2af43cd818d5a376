"""Cases of distances and similarities."""

from functools import partial

from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.modules.case import SAMPLES, ModuleCase

PAIRS = (floats(SAMPLES, 3), floats(SAMPLES, 3))
GRIDS = (floats(SAMPLES, 3, 2), floats(SAMPLES, 3, 2))

CASES = (
    ModuleCase("CosineSimilarity", nn.CosineSimilarity, PAIRS),
    ModuleCase("CosineSimilarity-dim", partial(nn.CosineSimilarity, dim=2), GRIDS),
    ModuleCase("CosineSimilarity-eps", partial(nn.CosineSimilarity, eps=2.0), PAIRS),
    ModuleCase("PairwiseDistance", nn.PairwiseDistance, PAIRS),
    ModuleCase("PairwiseDistance-p", partial(nn.PairwiseDistance, p=1.0), PAIRS),
    ModuleCase("PairwiseDistance-infinite", partial(nn.PairwiseDistance, p=float("inf")), PAIRS),
    ModuleCase("PairwiseDistance-eps", partial(nn.PairwiseDistance, eps=0.5), PAIRS),
    ModuleCase("PairwiseDistance-keepdim", partial(nn.PairwiseDistance, keepdim=True), PAIRS),
)
