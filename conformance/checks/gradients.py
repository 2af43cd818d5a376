"""Derivatives of any module in all that it can be differentiated in: its parameters and its floating inputs.

`call(params, buffers, *x)` is a member's forward, and what is differentiated is `subject.total` of its output.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.subject import differentiable, tensors, total
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.pytree import is_inexact, leaves, tree_map
from conformance.workloads.derivatives import tangents

Call = Callable[..., Any]


def leaves_of(x: Any) -> Any:
    """The minibatch with its floating tensors as leaves of a graph of its own."""
    return tree_map(lambda leaf: leaf.detach().requires_grad_() if is_inexact(leaf) else leaf, x)


def differentiable_by_name(x: Any) -> dict[str, Tensor]:
    """The floating tensors among the inputs, named by where they stand."""
    return {name: leaf for name, leaf in leaves(x, "input") if is_inexact(leaf)}


def gradients(number: Tensor, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradient of each, zero where nothing flows, and dense."""
    found = torch.autograd.grad(number, list(wanted.values()), allow_unused=True)
    return {
        name: torch.zeros_like(of) if each is None else each.to_dense()
        for each, (name, of) in zip(found, wanted.items(), strict=True)
    }


def backward_alone(model: nn.Module, x: Any) -> dict[str, Tensor]:
    """What backward gives one model, in every parameter that learns and every floating input."""
    x = leaves_of(x)
    return gradients_in(model, x, model(*x))


def gradients_in(model: nn.Module, x: Any, output: Any) -> dict[str, Tensor]:
    """The gradients of an output in the model's parameters that learn and in the floating inputs `x`, by name."""
    learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
    found = gradients(total(output), learning | differentiable_by_name(x))
    if not any(each.any() for each in found.values()):
        raise PlainLoopError("all its gradients are zero")
    return found


def grad_of_call(call: Call, params: Any, buffers: Any, x: Any) -> Any:
    """torch.func.grad of a call, in the parameters and the floating inputs."""
    return torch.func.grad(lambda at: total(call(at[0], buffers, *_filled(x, at[1]))))((params, differentiable(x)))


def jvp_of_call(call: Call, params: Any, buffers: Any, x: Any) -> Any:
    """torch.func.jvp of a call along `tangents`: the floating tensors of its output, and their derivatives."""
    at = (params, differentiable(x))

    def func(at: Any) -> Any:
        return [each for each in tensors(call(at[0], buffers, *_filled(x, at[1]))) if is_inexact(each)]

    return torch.func.jvp(func, (at,), (tangents(at),))


def transformed(transform: Callable[..., Any], model: nn.Module, x: Any) -> Any:
    """What a transform gives one model, without any vmap."""
    return transform(*_as_function(model), x)


def _as_function(model: nn.Module) -> tuple[Call, dict[str, Tensor], dict[str, Tensor]]:
    def call(params: Any, buffers: Any, *args: Any) -> Any:
        return torch.func.functional_call(model, (params, buffers), args)

    return call, {name: each.detach() for name, each in model.named_parameters()}, dict(model.named_buffers())


def parameter_gradients(call: Call, params: Any, buffers: Any, x: Any) -> Any:
    """torch.func.grad of a call in the parameters alone."""
    return torch.func.grad(lambda params: total(call(params, buffers, *x)))(params)


def sample_by_sample(model: nn.Module, x: Any) -> dict[str, Tensor]:
    """The gradients of each sample by itself, (samples, *shape) for each parameter."""
    call, params, buffers = _as_function(model)
    found = [
        parameter_gradients(call, params, buffers, with_samples(x, each)) for each in zip(*samples(x), strict=True)
    ]
    return {name: torch.stack([each[name] for each in found]) for name in params}


def samples(x: Any) -> list[Tensor]:
    """The tensors of a minibatch that have as many slices in front as the first one: a slice is a sample."""
    found: list[Tensor] = []
    tree_map(lambda leaf: found.append(leaf) if _is_sampled(x, leaf) else None, x)
    return found


def with_samples(x: Any, sample: Sequence[Tensor]) -> Any:
    """The minibatch with one sample in place of all."""
    rest = iter(sample)
    return tree_map(lambda leaf: next(rest).unsqueeze(0) if _is_sampled(x, leaf) else leaf, x)


def _is_sampled(x: Any, leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == len(x[0])


def _filled(x: Any, floating: Sequence[Tensor]) -> Any:
    """The minibatch with these in the place of its floating tensors."""
    rest = iter(floating)
    return tree_map(lambda leaf: next(rest) if is_inexact(leaf) else leaf, x)
