"""torch.func as an implementation."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from conformance.implementations.protocol import Implementation, lacks_attribute


class TorchFunc:
    """torch.func: stack_module_state, functional_call and vmap, on a base module that stays on its device.

    torch is looked up at each call, so that a patched torch is the one that is judged; and as an attribute, since
    torch.compile traces no import.
    """

    name = "torch.func"

    def unavailable(self) -> str | None:
        return lacks_attribute("torch.func", "stack_module_state")

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        params, buffers = torch.func.stack_module_state(models)
        base = self.base_of(models)

        def fmodel(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            return self.functional_call(base, (params, buffers), args, kwargs)

        return fmodel, params, buffers

    def base_of(self, models: Sequence[nn.Module]) -> nn.Module:
        """Return the module that runs with the stacked state: a copy of member 0."""
        return copy.deepcopy(models[0])

    def vmap(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        return torch.func.vmap(func, *args, **kwargs)

    def functional_call(self, module: nn.Module, state: Any, *args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(module, state, *args, **kwargs)


class TorchFuncOnMember0(TorchFunc):
    """torch.func on member 0 itself as the base, for members that can't be copied."""

    def base_of(self, models: Sequence[nn.Module]) -> nn.Module:
        return models[0]


def without_copies(implementation: Implementation) -> Implementation:
    """Return torch.func on member 0 itself in place of torch.func; any other implementation as it is."""
    return TorchFuncOnMember0() if type(implementation) is TorchFunc else implementation
