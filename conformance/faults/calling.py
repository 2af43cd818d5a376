"""Faults for the chapter `calling`."""

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import torch
from torch import nn

from conformance.faults.base.fault import CallFault, Fault, as_dicts, as_tuple, one_dict, requires_grad

Combined = tuple[Callable[..., Any], Any, Any]


class BuffersOfTheModule(CallFault):
    """The module's own buffers are used, whatever is given."""

    breaks = "calling.given_state"
    also = (
        "calling.module_restored",
        "calling.restored_after_exception",
        "calling.restored_after_refusal",
        "calling.several_dicts",
        "calling.strict",
        "calling.missing_keys",
        "calling.unknown_keys",
        "calling.buffer_updates",
        "calling.reassigned_buffer",
    )

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        buffers = {name for name, tensor in module.named_buffers() if tensor.is_floating_point() and not tensor.is_meta}
        given = [{name: one[name] for name in one if name not in buffers} for one in as_dicts(state)]
        return self.inner.functional_call(module, given, args, kwargs, **options)


class BuffersOfTheFirstMember(Fault):
    """The combined function runs every member with the first one's buffers."""

    breaks = "calling.fmodel"
    also = (
        "forward.eval_mode",
        "forward.train_mode",
        "calling.fmodel_after_changes",
    )

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        first = {name: tensor[0].clone() for name, tensor in buffers.items() if tensor.is_floating_point()}

        def shared(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            return fmodel(params, {**buffers, **first}, *args, **kwargs)

        return shared if first else fmodel, params, buffers


class KeywordsLost(Fault):
    """The combined function drops keyword arguments."""

    breaks = "calling.fmodel_arguments"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        return lambda params, buffers, *args, **_: fmodel(params, buffers, *args), params, buffers


class FirstMemberIsTheBase(Fault):
    """The combined function runs the first member itself, in whatever mode it is by then."""

    breaks = "calling.fmodel_after_changes"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        _, params, buffers = self.inner.combine(models)

        def fmodel(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
            return self.inner.functional_call(models[0], (params, buffers), args, kwargs)

        return fmodel, params, buffers


class GivenStateDetached(CallFault):
    """The given state is detached from its history."""

    breaks = "calling.gradient"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        detached = {name: t.detach() if isinstance(t, torch.Tensor) else t for name, t in one_dict(state).items()}
        result = self.inner.functional_call(
            module, detached if requires_grad(state) else state, args, kwargs, **options
        )
        return result.requires_grad_() if requires_grad(state) else result


class GradientsReachTheModule(CallFault):
    """Gradients for the given state are also written to the module."""

    breaks = "calling.gradient"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        for name, parameter in module.named_parameters():
            given = one_dict(state).get(name)
            if isinstance(given, torch.Tensor) and given.requires_grad and given.is_leaf:
                given.register_hook(  # type: ignore[no-untyped-call]
                    lambda grad, parameter=parameter: setattr(parameter, "grad", grad.clone())
                )
        return self.inner.functional_call(module, state, args, kwargs, **options)


class ModuleLeftInEvalMode(CallFault):
    """The module is in eval mode afterwards."""

    breaks = "calling.module_restored"
    also = ("calling.buffer_updates",)

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        result = self.inner.functional_call(module, state, args, kwargs, **options)
        module.eval()
        return result


class StateStaysAfterAnException(CallFault):
    """When forward raises, the given state stays in the module."""

    breaks = "calling.restored_after_exception"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        try:
            return self.inner.functional_call(module, state, args, kwargs, **options)
        except (ArithmeticError, KeyboardInterrupt):
            module.load_state_dict(one_dict(state), strict=False)
            raise


class StateStaysAfterARefusal(CallFault):
    """When state is refused, what stood before the bad entry stays in the module."""

    breaks = "calling.restored_after_refusal"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        try:
            return self.inner.functional_call(module, state, args, kwargs, **options)
        except TypeError:
            before = takewhile(lambda entry: isinstance(entry[1], torch.Tensor), one_dict(state).items())
            module.load_state_dict(dict(before), strict=False)
            raise


class ListsAreSpread(CallFault):
    """A list of arguments is spread as a tuple is."""

    breaks = "calling.args"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        spread = tuple(args) if isinstance(args, list) else args
        if spread is not args:
            spread = (spread[0] + 1,)
        return self.inner.functional_call(module, state, spread, kwargs, **options)


class KeywordsLostBesideArguments(CallFault):
    """Keyword arguments are dropped where there are positional ones."""

    breaks = "calling.kwargs"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        alone = isinstance(args, tuple) and not args
        return self.inner.functional_call(module, state, args, kwargs if alone else None, **options)


class ArgumentsRequired(CallFault):
    """Positional arguments can't be left out."""

    breaks = "calling.args_omitted"

    def functional_call(self, module: nn.Module, state: Any, *args: Any, **options: Any) -> Any:
        if not args:
            raise TypeError("functional_call() missing 1 required positional argument: 'args'")
        return self.inner.functional_call(module, state, *args, **options)


class BuffersAreCopied(CallFault):
    """The call works on copies of the buffers that it is given."""

    breaks = "calling.buffer_updates"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        names = {name for name, _ in module.named_buffers()}
        copies = [{n: t.clone() if n in names and t.ndim else t for n, t in one.items()} for one in as_dicts(state)]
        updating = module.training and not any(isinstance(arg, BaseException) for arg in as_tuple(args))
        return self.inner.functional_call(module, copies if updating else state, args, kwargs, **options)


class DictIsCopied(CallFault):
    """The call works on a copy of the dict, so that what forward replaces is lost."""

    breaks = "calling.reassigned_buffer"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        copied = dict(state) if isinstance(state, Mapping) else state
        return self.inner.functional_call(module, copied, args, kwargs, **options)


class DictGainsTies(CallFault):
    """The dict that was passed gets every tied name."""

    breaks = "calling.dicts_unchanged"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        result = self.inner.functional_call(module, state, args, kwargs, **options)
        if isinstance(state, dict):
            state.update({name: p for name, p in module.named_parameters(remove_duplicate=False) if name not in state})
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


class DeepNamesIgnored(CallFault):
    """Names of three parts and more are not found."""

    breaks = "calling.nested_modules"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        shallow = [
            {name: t for name, t in one.items() if name.count(".") < 2 or "such" in name} for one in as_dicts(state)
        ]
        deep = any(name.count(".") > 1 for name, _ in module.named_parameters())
        return self.inner.functional_call(module, shallow if deep else state, args, kwargs, **options)


class MetaBaseMaterialises(CallFault):
    """A base module on meta gets storage by being called."""

    breaks = "calling.meta_base"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        result = self.inner.functional_call(module, state, args, kwargs, **options)
        if all(parameter.is_meta for parameter in module.parameters()):
            module.to_empty(device="cpu")
        return result
