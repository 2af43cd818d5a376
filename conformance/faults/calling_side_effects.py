"""Faults for the chapter `calling`: the state of the module and of the given dicts after a call."""

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import torch
from torch import nn

from conformance.faults.base.fault import CallFault, merge_dicts, to_dicts, to_tuple


class ModuleLeftInEvalMode(CallFault):
    """A call leaves the module in eval mode."""

    breaks = "calling.module_restored"
    also = ("calling.buffer_updates",)

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        result = self.inner.functional_call(module, state, args, kwargs, **options)
        module.eval()
        return result


class ModuleReordered(CallFault):
    """The call takes a submodule out of the module and puts it back behind the others."""

    breaks = "calling.module_restored"
    also = ("calling.*",)

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        result = self.inner.functional_call(module, state, args, kwargs, **options)
        for name, child in module.named_children():
            delattr(module, name)
            setattr(module, name, child)
            break
        return result


class StateStaysAfterAnException(CallFault):
    """When forward raises, the given state stays in the module."""

    breaks = "calling.restored_after_exception"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        try:
            return self.inner.functional_call(module, state, args, kwargs, **options)
        except (ArithmeticError, KeyboardInterrupt):
            module.load_state_dict(merge_dicts(state), strict=False)
            raise


class StateStaysAfterARefusal(CallFault):
    """After state is refused, the entries before the bad one stay in the module."""

    breaks = "calling.restored_after_refusal"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        try:
            return self.inner.functional_call(module, state, args, kwargs, **options)
        except TypeError:
            before = takewhile(lambda entry: isinstance(entry[1], torch.Tensor), merge_dicts(state).items())
            module.load_state_dict(dict(before), strict=False)
            raise


class BuffersAreCopied(CallFault):
    """The call works on copies of the buffers that it is given."""

    breaks = "calling.buffer_updates"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        names = {name for name, _ in module.named_buffers()}
        copies = [{n: t.clone() if n in names and t.ndim else t for n, t in one.items()} for one in to_dicts(state)]
        updating = module.training and not any(isinstance(arg, BaseException) for arg in to_tuple(args))
        return self.inner.functional_call(module, copies if updating else state, args, kwargs, **options)


class DictIsCopied(CallFault):
    """The call works on a copy of the dict, so a buffer that forward replaces is lost."""

    breaks = "calling.reassigned_buffer"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        copied = dict(state) if isinstance(state, Mapping) else state
        return self.inner.functional_call(module, copied, args, kwargs, **options)


class DictGainsTies(CallFault):
    """The dict that was passed gains every tied name."""

    breaks = "calling.dicts_unchanged"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        result = self.inner.functional_call(module, state, args, kwargs, **options)
        if isinstance(state, dict):
            state.update({name: p for name, p in module.named_parameters(remove_duplicate=False) if name not in state})
        return result
