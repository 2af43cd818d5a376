"""Listed refusals that do not happen: for some inputs, or in some releases of torch.

What a catalogue lists as refused has to be refused, and what is listed here as well has to be answered. That was
recorded for torch's own implementations on the CPU, and only they are held to it.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from packaging.specifiers import SpecifierSet

from conformance.cases.modules.refusals import BACKWARD, FORWARD, TRANSFORMS
from conformance.spec.expectations import parse_release

RECORDED = ("torch.func", "functorch")
SHARED_OPERANDS = ("mapped, shared operands",)

# The releases, the checks of modules or the columns of a table of operations, and patterns of names of cases.
ANSWERED: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
    # A parametrization gives a module a class of its own, unless the class is that of another module.
    (
        ">=2.13",
        (*FORWARD, *BACKWARD, *TRANSFORMS, "buffers"),
        ("orthogonal-*", "parametrize-both", "parametrize-symmetric"),
    ),
    (">=2.13", (*FORWARD, *BACKWARD, "grad", "per_sample"), ("weight_norm*",)),
    (
        ">=2.13",
        ("own_minibatch", "restored", "meta_base", "shared_minibatch", *BACKWARD, *TRANSFORMS),
        ("spectral_norm-eval", "spectral_norm-hook-eval"),
    ),
    # In the mode in which it has nothing to update.
    (
        ">=2.13",
        ("modes",),
        ("spectral_norm", "spectral_norm-convolution", "spectral_norm-hook", "spectral_norm-power"),
    ),
    (">=2.13", ("modes",), ("BatchNorm2d-cumulative", "TransformerEncoder-nested-eval")),
    (">=2.13", ("single",), ("parametrize-outermost",)),
    (">=2.13", BACKWARD, ("MultiheadAttention-dropout-eval",)),
    # The mask is no member's own.
    (">=2.13", (*FORWARD, "grad", "per_sample"), ("TransformerDecoderLayer-masks",)),
    (">=2.13", ("shared_minibatch",), ("Transformer-masks", "TransformerDecoder-masks", "TransformerEncoder-masks")),
    (">=2.13", ("shared_minibatch",), ("index_put", "masked_select", "one_hot-counted")),
    (">=2.15", (*FORWARD, *BACKWARD, *TRANSFORMS), ("index_put",)),
    # Without statistics to write to.
    (
        ">=2.13",
        ("per_sample",),
        ("*BatchNorm*-eval", "BatchNorm2d-nostatistics", "InstanceNorm2d-affine", "InstanceNorm2d-nobias"),
    ),
    (">=2.13", ("per_sample",), ("InstanceNorm2d-statistics-eval",)),
    # Random operations.
    (">=2.0", ("same, shared",), ("nn.init.trunc_normal_", "torch.lobpcg")),
    (">=2.0,<2.12", ("same, own", "different, own"), ("nn.init.trunc_normal_",)),
    (">=2.0,<2.5", ("different, shared",), ("F.scaled_dot_product_attention",)),
    # In-place operations.
    (
        ">=2.0",
        SHARED_OPERANDS,
        (
            "Tensor.index_put_ (at a mask)",
            "Tensor.__setitem__ (a mask and a *)",
            "Tensor.__setitem__ (an element of a tensor)",
        ),
    ),
    (">=2.15", ("mapped",), ("Tensor.__setitem__ (a mask and a number)",)),
    (">=2.11", ("mapped",), ("Tensor.__setitem__ (an element of a tensor)",)),
)


def is_answered(name: str, column: str, version: str) -> bool:
    """Return whether a listed refusal does not happen in this release."""
    release = parse_release(version)
    return any(
        column in columns
        and any(fnmatchcase(name, each) for each in names)
        and SpecifierSet(releases).contains(release, prereleases=True)
        for releases, columns, names in ANSWERED
    )


def assert_as_listed(*, refused: bool, name: str, column: str, implementation: Any, device: torch.device) -> None:
    """Fail if a case that is listed as refused is answered, or the other way round where it is listed here too."""
    if implementation.name not in RECORDED or device.type != "cpu":
        return
    if is_answered(name, column, torch.__version__):
        assert not refused, f"{name}: refused, but {column} is listed as answered"
    else:
        assert refused, f"{name}: listed as refused, but {column} is right"
