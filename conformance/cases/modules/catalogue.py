"""The catalogue: the cases of all families, in the order of their files."""

from conformance.cases.modules import (
    activations,
    attention,
    containers,
    convolutions,
    distances,
    dropouts,
    embeddings,
    functional,
    lazy,
    linear,
    losses,
    normalizations,
    padding,
    parametrizations,
    pooling,
    recurrent,
    shapes,
    torch_functions,
    transformers,
)
from conformance.cases.modules.case import ModuleCase

FAMILIES = (
    activations,
    attention,
    containers,
    convolutions,
    distances,
    dropouts,
    embeddings,
    functional,
    lazy,
    linear,
    losses,
    normalizations,
    padding,
    parametrizations,
    pooling,
    recurrent,
    shapes,
    torch_functions,
    transformers,
)

CATALOGUE: tuple[ModuleCase, ...] = tuple(case for family in FAMILIES for case in family.CASES)
