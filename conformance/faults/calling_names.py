"""Faults for the chapter `calling`: names given twice, unknown, missing, tied or nested."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from conformance.faults.base.fault import CallFault, merge_dicts, to_dicts


class LastDictLost(CallFault):
    """The last of three or more dicts is ignored."""

    breaks = "calling.several_dicts"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        many = not isinstance(state, Mapping) and len(state) > 2
        return self.inner.functional_call(module, state[:-1] if many else state, args, kwargs, **options)


class LastValueCounts(CallFault):
    """The last value of a name in two dicts is used."""

    breaks = "calling.refuses_a_key_twice"
    also = ("calling.restored_after_refusal",)

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        dicts = to_dicts(state)
        twice = sum(map(len, dicts)) > len(merge_dicts(state))
        return self.inner.functional_call(module, merge_dicts(state) if twice else state, args, kwargs, **options)


class StrictWantsEveryTie(CallFault):
    """strict=True demands every name of a tied tensor."""

    breaks = "calling.strict"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
        missing = names - merge_dicts(state).keys()
        if options.get("strict") and missing:
            raise RuntimeError(f"Missing key(s): {sorted(missing)}")
        return self.inner.functional_call(module, state, args, kwargs, **options)


class StrictIgnoresUnknownKeys(CallFault):
    """strict=True accepts names that the module lacks."""

    breaks = "calling.strict_refuses_unknown_keys"
    also = ("calling.restored_after_refusal",)

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        names = {name for name, _ in [*module.named_parameters(), *module.named_buffers()]}
        known = {name: tensor for name, tensor in merge_dicts(state).items() if name in names}
        return self.inner.functional_call(module, known if options.get("strict") else state, args, kwargs, **options)


class StrictFillsMissingKeys(CallFault):
    """strict=True takes missing buffers from the module."""

    breaks = "calling.strict_refuses_missing_keys"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        filled = {**dict(module.named_buffers()), **merge_dicts(state)}
        return self.inner.functional_call(module, filled if options.get("strict") else state, args, kwargs, **options)


class TiesIgnored(CallFault):
    """A value given for one tied name counts for that name alone."""

    breaks = "calling.tie_weights"
    also = (
        "calling.strict",
        "calling.refuses_different_tied_values",
    )

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        return self.inner.functional_call(module, state, args, kwargs, **{**options, "tie_weights": False})


class TiesAlwaysKept(CallFault):
    """tie_weights=False is ignored."""

    breaks = "calling.tie_weights_off"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        return self.inner.functional_call(module, state, args, kwargs, **{**options, "tie_weights": True})


class FirstTiedValueCounts(CallFault):
    """The first of several different values for tied names is used."""

    breaks = "calling.refuses_different_tied_values"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        names = {name for name, _ in module.named_parameters()}
        tied = {name for name, _ in module.named_parameters(remove_duplicate=False)} - names
        both = options.get("tie_weights", True) and tied and tied | names <= merge_dicts(state).keys()
        kept = {name: tensor for name, tensor in merge_dicts(state).items() if name not in tied}
        return self.inner.functional_call(module, kept if both else state, args, kwargs, **options)


class DeepNamesIgnored(CallFault):
    """Names of three or more parts are not found."""

    breaks = "calling.nested_modules"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        shallow = [
            {name: t for name, t in one.items() if name.count(".") < 2 or "such" in name} for one in to_dicts(state)
        ]
        deep = any(name.count(".") > 1 for name, _ in module.named_parameters())
        return self.inner.functional_call(module, shallow if deep else state, args, kwargs, **options)
