"""Faults for the chapter `calling`: positional and keyword arguments."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from conformance.faults.base.fault import CallFault, Fault

Combined = tuple[Callable[..., Any], Any, Any]


class KeywordsLost(Fault):
    """The combined function drops keyword arguments."""

    breaks = "calling.fmodel_arguments"

    def combine(self, models: Sequence[nn.Module]) -> Combined:
        fmodel, params, buffers = self.inner.combine(models)
        return lambda params, buffers, *args, **_: fmodel(params, buffers, *args), params, buffers


class ListsAreSpread(CallFault):
    """A list of arguments is spread like a tuple."""

    breaks = "calling.args"

    def call(self, module: nn.Module, state: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
        spread = tuple(args) if isinstance(args, list) else args
        if spread is not args:
            spread = (spread[0] + 1,)
        return self.inner.functional_call(module, state, spread, kwargs, **options)


class KeywordsLostBesideArguments(CallFault):
    """Keyword arguments are dropped if there are positional ones."""

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
