"""Derivatives of any module with respect to its parameters and floating inputs.

`call(params, buffers, *args, **kwargs)` is a member's forward. The function that is differentiated is the
`weighted_sum` of its output.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conformance.checks.calls import call_member, call_model, map_own, own_leaves
from conformance.checks.values import floating_inputs, is_differentiable, output_tensors, weighted_sum
from conformance.numerics.plain_loop import PlainLoopError
from conformance.utils.pytree import is_inexact
from conformance.workloads.derivatives import make_tangents

MemberCall = Callable[..., Any]


def as_leaves(x: Any) -> Any:
    """Return the minibatch with its floating dense tensors detached and requiring gradients, except for shared ones."""
    return map_own(lambda leaf: leaf.detach().requires_grad_() if is_differentiable(leaf) else leaf, x)


def named_floating_inputs(x: Any) -> dict[str, Tensor]:
    """Return the floating dense tensors among a member's own inputs, by their path."""
    return {name: leaf for name, leaf in own_leaves(x) if is_differentiable(leaf)}


def gradients_by_name(number: Tensor, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the dense gradient of `number` with respect to each tensor, by name; zeros where it is unused."""
    found = torch.autograd.grad(number, list(wanted.values()), allow_unused=True)
    return {
        name: torch.zeros_like(of) if each is None else each.to_dense()
        for each, (name, of) in zip(found, wanted.items(), strict=True)
    }


def model_gradients(model: nn.Module, x: Any) -> dict[str, Tensor]:
    """Return the gradients of one model in its trainable parameters and floating inputs, by backward."""
    x = as_leaves(x)
    return output_gradients(model, x, call_model(model, x))


def output_gradients(model: nn.Module, x: Any, output: Any) -> dict[str, Tensor]:
    """Return the gradients of an output in the trainable parameters and the floating inputs `x`, by name.

    Raises PlainLoopError if all of them are zero.
    """
    learning = {name: each for name, each in model.named_parameters() if each.requires_grad}
    found = gradients_by_name(weighted_sum(output), learning | named_floating_inputs(x))
    if not any(each.any() for each in found.values()):
        raise PlainLoopError("all gradients are zero")
    return found


def grad_of_call(call: MemberCall, params: Any, buffers: Any, x: Any) -> Any:
    """Return torch.func.grad of a call in the parameters and the floating inputs."""
    return torch.func.grad(lambda at: weighted_sum(call_member(call, at[0], buffers, _replace_floating(x, at[1]))))(
        (params, floating_inputs(x))
    )


def jvp_of_call(call: MemberCall, params: Any, buffers: Any, x: Any) -> Any:
    """Return torch.func.jvp of a call along `make_tangents`: its floating outputs and their derivatives."""
    at = (params, floating_inputs(x))

    def func(at: Any) -> Any:
        out = call_member(call, at[0], buffers, _replace_floating(x, at[1]))
        return [each for each in output_tensors(out) if is_inexact(each)]

    return torch.func.jvp(func, (at,), (make_tangents(at),))


def apply_transform(transform: Callable[..., Any], model: nn.Module, x: Any) -> Any:
    """Apply a transform such as `grad_of_call` to one model, without vmap."""
    return transform(*_functional_call(model), x)


def _functional_call(model: nn.Module) -> tuple[MemberCall, dict[str, Tensor], dict[str, Tensor]]:
    def call(params: Any, buffers: Any, *args: Any, **kwargs: Any) -> Any:
        return torch.func.functional_call(model, (params, buffers), args, kwargs)

    return call, {name: each.detach() for name, each in model.named_parameters()}, dict(model.named_buffers())


def parameter_gradients(call: MemberCall, params: Any, buffers: Any, x: Any) -> Any:
    """Return torch.func.grad of a call in the parameters alone."""
    return torch.func.grad(lambda params: weighted_sum(call_member(call, params, buffers, x)))(params)


def per_sample_gradients(model: nn.Module, x: Any) -> dict[str, Tensor]:
    """Return the gradients of each sample by itself: for each parameter, shape (samples, *parameter)."""
    call, params, buffers = _functional_call(model)
    found = [
        parameter_gradients(call, params, buffers, replace_samples(x, each))
        for each in zip(*sampled_tensors(x), strict=True)
    ]
    return {name: torch.stack([each[name] for each in found]) for name in params}


def sampled_tensors(x: Any) -> list[Tensor]:
    """Return the tensors of a minibatch that are as long as the first one: each slice is a sample."""
    samples = _count_samples(x)
    return [leaf for _, leaf in own_leaves(x) if _is_sampled(leaf, samples)]


def replace_samples(x: Any, sample: Sequence[Tensor]) -> Any:
    """Return the minibatch with one sample in place of all its samples."""
    rest, samples = iter(sample), _count_samples(x)
    return map_own(lambda leaf: next(rest).unsqueeze(0) if _is_sampled(leaf, samples) else leaf, x)


def _count_samples(x: Any) -> int:
    """Return the length of the first tensor in the minibatch; raise PlainLoopError if there is none."""
    for _, leaf in own_leaves(x):
        if isinstance(leaf, Tensor) and leaf.ndim:
            return len(leaf)
    raise PlainLoopError("the inputs have no dimension of samples")


def _is_sampled(leaf: Any, samples: int) -> bool:
    return isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == samples


def _replace_floating(x: Any, floating: Sequence[Tensor]) -> Any:
    """Return the minibatch with its floating tensors replaced."""
    rest = iter(floating)
    return map_own(lambda leaf: next(rest) if is_differentiable(leaf) else leaf, x)
