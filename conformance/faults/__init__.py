"""Faults: defects to inject, each of which must turn the tests of one requirement red.

``pytest --fault MembersReversed`` runs the suite on a faulty implementation. It is done for
every fault by tests/meta/faults/test_kill_matrix.py, which checks which requirements fail.

To add a fault, write a class in the module of its chapter, or of its topic in the chapter. Its name and docstring say
what the wrong build does, and `breaks` names the requirement::

    class MembersReversed(Fault):
        breaks = "stacking.order"

        def combine(self, models):
            return self.inner.combine(list(models)[::-1])

Choose the base class by the place of the defect, and override its one method:

- `base.fault`: `Fault` (anything), `StackFault` (the stacked state), `CallFault` (functional_call)
- `base.vmap`: `DimFault` (in_dims), `InputFault`, `OutDimFault` (out_dims), `OutputFault`, `VmapFault` (a whole call)
- `base.derivative`: `DerivativeFault` (gradients and tangents), `TransformFault` (grad, jvp ... inside vmap)
- `base.patch`: `PatchedFault` (a function of torch), `PatchedInsideVmap` (the same inside vmap only)

Then run ``pytest tests/meta/faults/test_kill_matrix.py -k MembersReversed``. Modules and classes are found by
themselves.
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
    """Return the implementation with that fault. Raises ValueError for a fault that does not exist."""
    if name not in FAULTS:
        raise ValueError(f"--fault: {invalid_choice(name, FAULTS)}")
    return FAULTS[name](implementation)
