"""Are these modules alike, so that one of them can run with the state of any?

Two members may differ in the values of their tensors and in nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def difference(models: Sequence[nn.Module]) -> str | None:
    """What first differs from member 0, and in which member, as a sentence; None if all are alike."""
    first = dict(_facts(models[0]))
    for i, model in enumerate(models[1:], start=1):
        for what, value in _facts(model):
            if what not in first:
                return f"member {i} has {what} and member 0 has not"
            if not _equal(value, first[what]):
                return f"member {i} has {what} {value!r} and member 0 has {first[what]!r}"
        missing = first.keys() - dict(_facts(model)).keys()
        if missing:
            return f"member {i} has no {min(missing)} and member 0 has"
    return None


def _facts(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Everything but the values of the tensors, as (what, value)."""
    for kind, tensors in (
        ("parameter", model.named_parameters(remove_duplicate=False)),
        ("buffer", model.named_buffers(remove_duplicate=False)),
    ):
        for name, tensor in tensors:
            yield f"{kind} {name!r}, shape", tuple(tensor.shape)
            yield f"{kind} {name!r}, dtype", tensor.dtype
            yield f"{kind} {name!r}, device", tensor.device
            yield f"{kind} {name!r}, requires_grad", tensor.requires_grad
    for path, module in model.named_modules():
        where = f" of {path!r}" if path else ""
        yield f"class{where}", type(module)
        yield f"training/eval mode{where}", module.training
        for name, value in vars(module).items():
            if not name.startswith("_") and name != "training":
                yield f"configuration{where}: {name}", value


def _equal(a: Any, b: Any) -> bool:
    """Equal as configuration: by value, and for objects without an equality of their own, by what they hold."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if type(a).__eq__ is object.__eq__ and hasattr(a, "__dict__") and not isinstance(a, nn.Module):
        return a is b or _equal(vars(a), vars(b))
    return isinstance(a, nn.Module) or bool(a == b)
