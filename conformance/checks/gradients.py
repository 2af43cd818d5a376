"""Derivatives of any module in all that it can be differentiated in: its parameters and its floating inputs.

`call(params, buffers, *x)` is a member's forward, and what is differentiated is `subject.total` of its output.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.subject import floating_inputs, output_tensors, weighted_sum
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.pytree import is_inexact, leaves, tree_map
from conformance.workloads.derivatives import make_tangents

MemberCall = Callable[..., Any]


def as_leaves(x: Any) -> Any:
    """The minibatch with its floating tensors as leaves of a graph of its own."""
    return tree_map(lambda leaf: leaf.detach().requires_grad_() if is_inexact(leaf) else leaf, x)


def named_floating_inputs(x: Any) -> dict[str, Tensor]:
    """The floating tensors among the inputs, named by where they stand."""
    return {name: leaf for name, leaf in leaves(x, "input") if is_inexact(leaf)}


def gradients_by_name(number: Tensor, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of each, zero where nothing flows, and dense."""
    found = torch.autograd.grad(number, list(wanted.values()), allow_unused=True)
    return {
        name: torch.zeros_like(of) if each is None else each.to_dense()
        for each, (name, of) in zip(found, wanted.items(), strict=True)
    }


def model_gradients(model: nn.Module, x: Any) -> dict[str, Tensor]:
    """What backward gives one model, in every parameter that learns and every floating input."""
    x = as_leaves(x)
    return output_gradients(model, x, model(*x))


def output_gradients(model: nn.Module, x: Any, output: Any) -> dict[str, Tensor]:
    """The gradients of an output in the model's parameters that learn and in the floating inputs `x`, by name."""
    learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
    found = gradients_by_name(weighted_sum(output), learning | named_floating_inputs(x))
    if not any(each.any() for each in found.values()):
        raise PlainLoopError("all its gradients are zero")
    return found


def grad_of_call(call: MemberCall, params: Any, buffers: Any, x: Any) -> Any:
    """torch.func.grad of a call, in the parameters and the floating inputs."""
    return torch.func.grad(lambda at: weighted_sum(call(at[0], buffers, *_replace_floating(x, at[1]))))(
        (params, floating_inputs(x))
    )


def jvp_of_call(call: MemberCall, params: Any, buffers: Any, x: Any) -> Any:
    """torch.func.jvp of a call along `tangents`: the floating tensors of its output, and their derivatives."""
    at = (params, floating_inputs(x))

    def func(at: Any) -> Any:
        return [each for each in output_tensors(call(at[0], buffers, *_replace_floating(x, at[1]))) if is_inexact(each)]

    return torch.func.jvp(func, (at,), (make_tangents(at),))


def apply_transform(transform: Callable[..., Any], model: nn.Module, x: Any) -> Any:
    """What a transform gives one model, without any vmap."""
    return transform(*_functional_call(model), x)


def _functional_call(model: nn.Module) -> tuple[MemberCall, dict[str, Tensor], dict[str, Tensor]]:
    def call(params: Any, buffers: Any, *args: Any) -> Any:
        return torch.func.functional_call(model, (params, buffers), args)

    return call, {name: each.detach() for name, each in model.named_parameters()}, dict(model.named_buffers())


def parameter_gradients(call: MemberCall, params: Any, buffers: Any, x: Any) -> Any:
    """torch.func.grad of a call in the parameters alone."""
    return torch.func.grad(lambda params: weighted_sum(call(params, buffers, *x)))(params)


def per_sample_gradients(model: nn.Module, x: Any) -> dict[str, Tensor]:
    """The gradients of each sample by itself, (samples, *shape) for each parameter."""
    call, params, buffers = _functional_call(model)
    found = [
        parameter_gradients(call, params, buffers, replace_samples(x, each))
        for each in zip(*sampled_tensors(x), strict=True)
    ]
    return {name: torch.stack([each[name] for each in found]) for name in params}


def sampled_tensors(x: Any) -> list[Tensor]:
    """The tensors of a minibatch that have as many slices in front as the first one: a slice is a sample."""
    found: list[Tensor] = []
    tree_map(lambda leaf: found.append(leaf) if _is_sampled(x, leaf) else None, x)
    return found


def replace_samples(x: Any, sample: Sequence[Tensor]) -> Any:
    """The minibatch with one sample in place of all."""
    rest = iter(sample)
    return tree_map(lambda leaf: next(rest).unsqueeze(0) if _is_sampled(x, leaf) else leaf, x)


def _is_sampled(x: Any, leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == len(x[0])


def _replace_floating(x: Any, floating: Sequence[Tensor]) -> Any:
    """The minibatch with these in the place of its floating tensors."""
    rest = iter(floating)
    return tree_map(lambda leaf: next(rest) if is_inexact(leaf) else leaf, x)
