"""The catalogue: the cases of all families, in the order of their files."""

from importlib import import_module

from conformance.cases.modules.case import ModuleCase

# The order of the cases, and so of the tests, is the order of these names.
FAMILIES = tuple(
    import_module(f"conformance.cases.modules.{name}")
    for name in (
        "activations",
        "attention",
        "containers",
        "convolutions",
        "distances",
        "dropouts",
        "embeddings",
        "functional",
        "lazy",
        "linear",
        "losses",
        "normalizations",
        "padding",
        "parametrizations",
        "pooling",
        "recurrent",
        "shapes",
        "torch_functions",
        "transformers",
    )
)

CATALOGUE: tuple[ModuleCase, ...] = tuple(case for family in FAMILIES for case in family.CASES)
