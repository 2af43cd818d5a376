"""Are these modules alike, so that one of them can run with the state of any?

Two members may differ in the values of their tensors and in nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from conformance.utils.module_state import all_named_buffers, all_named_parameters


def difference(models: Sequence[nn.Module]) -> str | None:
    """Return the first difference from member 0 as a sentence that names the member, or None if all are alike."""
    first = dict(_facts(models[0]))
    for i, model in enumerate(models[1:], start=1):
        for what, value in _facts(model):
            if what not in first:
                return f"member {i} has {what} and member 0 has not"
            if not are_equal(value, first[what]):
                return f"member {i} has {what} {value!r} and member 0 has {first[what]!r}"
        missing = first.keys() - dict(_facts(model)).keys()
        if missing:
            return f"member {i} has no {min(missing)} and member 0 has"
    return None


def _facts(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Everything but the values of the tensors, as (what, value)."""
    first_names = {id(tensor): name for name, tensor in model.named_parameters()}
    for kind, tensors in (
        ("parameter", all_named_parameters(model)),
        ("buffer", all_named_buffers(model)),
    ):
        for name, tensor in tensors:
            yield f"{kind} {name!r}, shape", tuple(tensor.shape)
            yield f"{kind} {name!r}, dtype", tensor.dtype
            yield f"{kind} {name!r}, device", tensor.device
            yield f"{kind} {name!r}, requires_grad", tensor.requires_grad
            yield f"{kind} {name!r}, tied to", first_names.get(id(tensor))
    for path, module in model.named_modules():
        where = f" of {path!r}" if path else ""
        yield f"class{where}", type(module)
        yield f"training/eval mode{where}", module.training
        for name, value in vars(module).items():
            if not name.startswith("_") and name != "training":
                yield f"configuration{where}: {name}", value


def are_equal(a: Any, b: Any) -> bool:
    """Equal as configuration: by value, and what has no equality of its own, by what it holds."""
    if type(a) is not type(b):
        return False
    match a:
        case nn.Module():
            same = difference([a, b]) is None  # a module that is not registered, in a list or a dict
        case Tensor():
            same = a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
        case Mapping():
            same = a.keys() == b.keys() and all(are_equal(a[key], b[key]) for key in a)
        case list() | tuple():
            same = len(a) == len(b) and all(map(are_equal, a, b))
        case FunctionType():
            same = a.__code__ == b.__code__ and are_equal(_held(a), _held(b))
        case _:
            same = bool(a == b) or (_without_equality(a) and are_equal(vars(a), vars(b)))
    return same


def _without_equality(value: Any) -> bool:
    """Return whether an object equals only itself and keeps its values in `__dict__`."""
    inherited = type(value).__eq__ is object.__eq__  # type: ignore[comparison-overlap]
    return inherited and hasattr(value, "__dict__") and not isinstance(value, type)


def _held(function: FunctionType) -> list[Any]:
    """Return the values that a function holds beside its code: two lambdas of one line may hold different ones.

    Not the modules that it holds: its own module is compared already, and would go round in circles.
    """
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    held = [function.__defaults__, function.__kwdefaults__, *closure]
    return [value for value in held if not isinstance(value, nn.Module)]
