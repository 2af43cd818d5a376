"""Defects to inject, each naming the requirement that it breaks: what a suite can't see, it can't vouch for.

``pytest --fault MembersReversed`` runs the suite on a faulty implementation; tests/meta/test_kill_matrix.py does so for
every fault and checks which requirements go red.
"""

from types import MappingProxyType
from typing import Any

from conformance.faults import (
    calling,
    calling_names,
    chunking,
    compiled,
    compiled_export,
    compiled_modes,
    determinism,
    determinism_repeatability,
    errors,
    forward,
    gradients,
    gradients_accumulation,
    gradients_modes,
    gradients_transforms,
    in_dims,
    inplace,
    inplace_views,
    modules,
    nesting,
    out_dims,
    parity,
    parity_devices,
    parity_settings,
    purity,
    purity_exceptions,
    purity_functions,
    purity_modules,
    randomness,
    randomness_draws,
    stacking,
    stacking_refusals,
    training,
)
from conformance.faults.base.fault import Fault

CHAPTERS = (
    forward,
    stacking,
    stacking_refusals,
    calling,
    calling_names,
    in_dims,
    out_dims,
    chunking,
    nesting,
    errors,
    gradients,
    gradients_accumulation,
    gradients_transforms,
    gradients_modes,
    training,
    randomness,
    randomness_draws,
    determinism,
    determinism_repeatability,
    inplace,
    inplace_views,
    purity,
    purity_exceptions,
    purity_modules,
    purity_functions,
    parity,
    parity_devices,
    parity_settings,
    compiled,
    compiled_modes,
    compiled_export,
    modules,
)
FAULTS = MappingProxyType(
    {
        name: each
        for chapter in CHAPTERS
        for name, each in vars(chapter).items()
        if isinstance(each, type) and issubclass(each, Fault) and each.breaks
    }
)


def inject(name: str, implementation: Any) -> Fault:
    """The implementation with that fault in it. Raises ValueError for a fault that does not exist."""
    if name not in FAULTS:
        raise ValueError(f"--fault: there is no fault {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name](implementation)
