"""Defects to inject, each naming the requirement that it breaks: what a suite can't see, it can't vouch for.

``pytest --fault MembersReversed`` runs the suite on a faulty implementation; tests/meta/test_kill_matrix.py does so for
every fault and checks which requirements go red.
"""

import pkgutil
from importlib import import_module
from types import MappingProxyType
from typing import Any

from conformance.faults.base.fault import Fault
from conformance.utils.suggestions import invalid_choice

# Every module of this package, in alphabetical order: a new file needs no entry anywhere.
CHAPTERS = tuple(
    import_module(f"{__name__}.{found.name}")
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name)
    if not found.ispkg
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
        raise ValueError(f"--fault: {invalid_choice(name, FAULTS)}")
    return FAULTS[name](implementation)
