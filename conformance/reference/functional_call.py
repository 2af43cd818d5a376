"""The reference for functional_call: run a copy of the module that holds the given state."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from conformance.utils.module_state import all_named_buffers, all_named_parameters, copy_module

State = Mapping[str, Tensor]


def functional_call(
    module: nn.Module,
    state: State | Sequence[State],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Run a copy of `module` that holds `state`: what torch.func.functional_call promises, without swapping anything.

    A buffer that the module replaces shows in the dict that holds it.
    Raises ValueError for a name in two dicts, names of one tied tensor with different values, and, if `strict`, for
    unknown and missing names; for a name without a value, since the module holds it on meta; TypeError for no tensor.
    """
    dicts: Sequence[Any] = [state] if isinstance(state, Mapping) else state
    given = {name: tensor for one in dicts for name, tensor in one.items()}
    if len(given) < sum(map(len, dicts)):
        raise ValueError("a name appeared in multiple dictionaries")
    module = copy_module(module)
    values = _values(_names(module), given, tie_weights=tie_weights, strict=strict)
    for name, tensor in values.items():
        owner, attribute = _place(module, name)
        if attribute not in dict(owner.named_buffers(recurse=False)):
            delattr(owner, attribute)  # a parameter, whose place a mere tensor can't take
        setattr(owner, attribute, tensor)
    result = module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    for one in dicts:
        for name in one.keys() & values.keys():
            one[name] = getattr(*_place(module, name))
    return result


def _values(own: State, given: State, *, tie_weights: bool, strict: bool) -> State:
    """The tensor for each of the module's names that gets one."""
    for name, tensor in given.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: {tensor!r} is not an instance of torch.Tensor")
    values: dict[str, Tensor] = {}
    for name in own:
        ties = [tied for tied in own if own[tied] is own[name]] if tie_weights else [name]
        found = [given[tied] for tied in ties if tied in given]
        if any(tensor is not found[0] for tensor in found):
            raise ValueError(f"multiple values for {ties}, which are tied")
        if found:
            values[name] = found[0]
    unknown, missing = given.keys() - own.keys(), own.keys() - values.keys()
    unwritten = [name for name in missing if own[name].is_meta and not all(t.is_meta for t in values.values())]
    if strict and (unknown or missing):
        raise ValueError(f"Unexpected key(s): {sorted(unknown)}. Missing key(s): {sorted(missing)}")
    if unwritten:
        raise ValueError(f"{unwritten} are on the meta device and were not given: they have no values")
    return values


def _place(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The submodule that a dotted name lies in, and its attribute there."""
    path, _, attribute = name.rpartition(".")
    return module.get_submodule(path), attribute


def _names(module: nn.Module) -> dict[str, Tensor]:
    """Every name of every parameter and buffer; tied names hold the same tensor."""
    return {
        **dict(all_named_parameters(module)),
        **dict(all_named_buffers(module)),
    }
