"""The reference: what an ensemble has to compute, as slices, loops and stacks.

No vmap, no batching, no functional_call of torch's: short enough to be checked by eye. Slow on purpose.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance import names
from conformance.alike import difference
from conformance.models import copied
from conformance.trees import children, outline, rebuild, tree_map

State = Mapping[str, Tensor]


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0) -> Callable[..., Any]:
    """Call `func` once per slice of its mapped arguments and stack what it returns.

    `in_dims`: an int for all arguments, or a tuple with an entry for each: an int, None for "not mapped", or a
    container that matches it. `out_dims` likewise for what `func` returns. Keyword arguments are not mapped.
    """

    def mapped(*args: Any, **kwargs: Any) -> Any:
        dims = spread(in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(args), args, "in_dims")
        size = _mapped_size(args, dims)
        # A loop over nothing has the shape of a loop over one slice, of which none is kept.
        args = args if size else tree_map(with_one_slice, dims, args)
        outputs = [func(*slices(args, dims, i), **kwargs) for i in range(size or 1)]
        return tree_map(lambda dim, *each: _stack(dim, size, each), spread(out_dims, outputs[0], "out_dims"), *outputs)

    return mapped


def spread(dims: Any, tree: Any, name: str) -> Any:
    """`dims` with an entry for each leaf of `tree`: one that stands over a container counts for all its leaves."""
    pairs, dim_pairs = children(tree), children(dims)
    if pairs is None and dim_pairs is None:
        return _Dim(dims)
    if pairs is not None and dim_pairs is None:
        return rebuild(tree, [spread(dims, child, name) for _, child in pairs])
    dim_of = dict(dim_pairs or [])
    if pairs is None or type(dims) is not type(tree) or dim_of.keys() != dict(pairs).keys():
        raise ValueError(f"{name} {dims!r} does not match the structure {outline(tree)}")
    return rebuild(tree, [spread(dim_of[label], child, name) for label, child in pairs])


class _Dim:
    """One dimension or None, wrapped so that a tree of them keeps the structure that it was spread over."""

    def __init__(self, value: int | None) -> None:
        self.value = value


def slices(args: Any, dims: Any, i: int) -> Any:
    """`args` with slice `i` of every mapped leaf; slices are views, so that a write reaches the caller's tensor."""
    return tree_map(lambda dim, leaf: leaf if dim.value is None else leaf.select(dim.value, i), dims, args)


def _mapped_size(args: Any, dims: Any) -> int:
    sizes = set[int]()

    def visit(dim: _Dim, leaf: Any) -> None:
        if dim.value is not None and not isinstance(leaf, Tensor):
            raise ValueError(f"in_dims {dim.value} is for {leaf!r}, which is no tensor")
        if dim.value is not None:
            sizes.add(leaf.shape[dim.value])

    tree_map(visit, dims, args)
    if len(sizes) != 1:
        raise ValueError(f"the mapped dimensions must have one size, and have {sorted(sizes)}")
    return sizes.pop()


def with_one_slice(dim: _Dim, leaf: Any) -> Any:
    """A mapped tensor without slices, as it would be with one."""
    if dim.value is None:
        return leaf
    return leaf.new_zeros([max(size, int(d == dim.value % leaf.ndim)) for d, size in enumerate(leaf.shape)])


def _stack(dim: _Dim, size: int, outputs: Sequence[Any]) -> Any:
    if dim.value is None:
        return outputs[0]
    if not isinstance(outputs[0], Tensor):
        raise ValueError(f"out_dims {dim.value} is for {outputs[0]!r}, which is no tensor")  # noqa: TRY004 - as vmap
    return torch.stack(list(outputs), dim.value).narrow(dim.value, 0, size)


def combine(
    models: Sequence[nn.Module],
) -> tuple[Callable[..., Any], dict[str, Tensor], dict[str, Tensor]]:
    """Stack the members' parameters and buffers by name; `fmodel(params, buffers, *args)` runs one member's slice.

    Raises ValueError if there is no member, or if two differ in anything but the values of their tensors.
    """
    models = list(models)
    if not models:
        raise ValueError("expected at least one model, got 0")
    differs = difference(models)
    if differs is not None:
        raise ValueError(f"the members are not alike: {differs}")
    base = copied(models[0])

    def fmodel(params: State, buffers: State, *args: Any, **kwargs: Any) -> Any:
        return functional_call(base, (params, buffers), args, kwargs)

    params = {
        name: torch.stack([model.get_parameter(name) for model in models]).detach().requires_grad_(first.requires_grad)
        for name, first in base.named_parameters()
    }
    buffers = {
        name: torch.stack([model.get_buffer(name) for model in models]).detach() for name, _ in base.named_buffers()
    }
    return fmodel, params, buffers


def ensemble(models: Sequence[nn.Module], inputs: Sequence[Any]) -> list[Any]:
    """The for-loop that an ensemble replaces: member i on input i."""
    return [model(x) for model, x in zip(models, inputs, strict=True)]


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
    module = copied(module)
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
        **dict(names.parameters(module)),
        **dict(names.buffers(module)),
    }
