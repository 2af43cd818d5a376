"""Objects that several members hold: a module, a tensor or a generator of which there is one."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from conformance.utils.held_objects import held_objects
from conformance.utils.text import type_name

KINDS = (nn.Module, Tensor, torch.Generator)


def shared_objects(models: Sequence[nn.Module]) -> list[str]:
    """Return the modules, tensors and generators that two members share, as "path (class)", the outermost alone."""
    seen: set[int] = set()
    found: dict[str, str] = {}
    for model in models:
        held = [(path, each) for path, each in held_objects(model) if isinstance(each, KINDS)]
        for path, each in held:
            if id(each) in seen and not any(path.startswith((f"{outer}.", f"{outer}[")) for outer in found):
                found[path] = type_name(each)
        seen |= {id(each) for _, each in held}
    return [f"{path} ({kind})" for path, kind in found.items()]
