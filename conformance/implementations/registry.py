"""The built-in implementations by name, and the loader of third-party ones."""

import importlib
from typing import Any

from conformance.implementations.compiled import Compiled, CompiledEager, CompiledInductor
from conformance.implementations.functorch import Functorch
from conformance.implementations.protocol import Implementation
from conformance.implementations.reference_loop import Reference
from conformance.implementations.torch_func import TorchFunc
from conformance.utils.suggestions import invalid_choice
from conformance.utils.text import describe_error

BUILT_IN: dict[str, type[Any]] = {
    each.name: each for each in (TorchFunc, Functorch, Reference, Compiled, CompiledEager, CompiledInductor)
}

DEFAULT = (TorchFunc.name, Functorch.name)


def load_implementation(name: str) -> Implementation:
    """A built-in implementation by name, or anyone's own as ``package.module:Name`` (a class, or an object).

    This imports the module, which runs its code. Raises ValueError with one line that says what is wrong.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    module_name, colon, attribute = name.partition(":")
    if not colon:
        raise ValueError(invalid_choice(name, [*BUILT_IN, "package.module:Name"]))
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        made = found() if isinstance(found, type) else found
    except Exception as error:
        raise ValueError(f"{name!r} does not load: {describe_error(error)}") from error
    if not all(callable(getattr(made, method, None)) for method in ("combine", "vmap")):
        raise ValueError(f"{name!r} has no combine and vmap, which an implementation needs")
    if not isinstance(getattr(made, "name", None), str):
        made.name = name
    return made
