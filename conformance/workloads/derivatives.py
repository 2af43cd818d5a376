"""Derivatives of a module in its parameters, each computed twice: by transforms of torch.func, and by backward.

Each takes a function, the tensors to differentiate in by name, and targets of the shape of the function's output. The
transforms run inside vmap. Backward is the reference for them, and needs neither torch.func nor vmap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from conformance.reference.functional_call import functional_call
from conformance.utils.pytree import tree_map
from conformance.workloads.supervised import loss

Tensors = Mapping[str, Tensor]
Func = Callable[[Any], Tensor]


@dataclass(frozen=True)
class Derivative:
    """A derivative: `func(func, at, target)` computes it by torch.func, `backward` the same by torch.autograd."""

    func: Callable[[Func, Tensors, Tensor], Any]
    backward: Callable[[Func, Tensors, Tensor], Any]


def as_function(model: nn.Module) -> Callable[[Tensors, Tensor], Tensor]:
    """Return a module as a function of its parameters and its input, computed without torch.func."""
    return lambda params, x: functional_call(model, params, x)


def make_tangents(at: Any) -> Any:
    """Return a tangent for each tensor; tensors that differ get different tangents."""
    return tree_map(lambda tensor: (3 * tensor.detach()).cos(), at)


def restrict_to_small_tensors(func: Func, at: Tensors) -> tuple[Func, Tensors]:
    """Return `func` and `at` restricted to tensors of at most 40 elements, to keep Jacobians and Hessians small."""
    return lambda part: func({**at, **part}), {name: tensor for name, tensor in at.items() if tensor.numel() <= 40}  # noqa: PLR2004


def loss_function(func: Func, target: Tensor) -> Func:
    """Return the loss as a function of what `func` takes."""
    return lambda at: loss(func(at), target)


def _grad(func: Func, at: Tensors, target: Tensor) -> Any:
    return torch.func.grad(loss_function(func, target))(at)


def _grad_backward(func: Func, at: Tensors, target: Tensor) -> Any:
    at = _leaves(at)
    return _pull(loss(func(at), target), at)


def _grad_and_value(func: Func, at: Tensors, target: Tensor) -> Any:
    return torch.func.grad_and_value(loss_function(func, target))(at)


def _grad_and_value_backward(func: Func, at: Tensors, target: Tensor) -> Any:
    at = _leaves(at)
    value = loss(func(at), target)
    return _pull(value, at), value.detach()


def _vjp(func: Func, at: Tensors, target: Tensor) -> Any:
    value, pull = torch.func.vjp(func, at)[:2]
    return value, pull(target)[0]


def _vjp_backward(func: Func, at: Tensors, target: Tensor) -> Any:
    at = _leaves(at)
    value = func(at)
    return value.detach(), _pull(value, at, target)


def _jvp(func: Func, at: Tensors, _: Tensor) -> Any:
    return torch.func.jvp(func, (at,), (make_tangents(at),))


def _jvp_backward(func: Func, at: Tensors, _: Tensor) -> Any:
    """Differentiate backward once more: it is linear in the cotangent, and its transpose maps tangents forward."""
    at = _leaves(at)
    value = func(at)
    pulled_from = torch.zeros_like(value, requires_grad=True)
    pulled = _pull(value, at, pulled_from, create_graph=True)
    along = sum((pulled[name] * direction).sum() for name, direction in make_tangents(at).items())
    return value.detach(), torch.autograd.grad(along, pulled_from)[0]


def _jacrev(func: Func, at: Tensors, _: Tensor) -> Any:
    func, at = restrict_to_small_tensors(func, at)
    return torch.func.jacrev(func)(at)


def _jacfwd(func: Func, at: Tensors, _: Tensor) -> Any:
    func, at = restrict_to_small_tensors(func, at)
    return torch.func.jacfwd(func)(at)


def _jacobian_backward(func: Func, at: Tensors, _: Tensor) -> Any:
    func, at = restrict_to_small_tensors(func, at)
    at = _leaves(at)
    value = func(at)
    rows = [_pull(element, at, retain_graph=True) for element in value.flatten()]
    return {name: torch.stack([row[name] for row in rows]).reshape(*value.shape, *at[name].shape) for name in at}


def _hessian(func: Func, at: Tensors, target: Tensor) -> Any:
    func, at = restrict_to_small_tensors(loss_function(func, target), at)
    return torch.func.hessian(func)(at)


def _hessian_backward(func: Func, at: Tensors, target: Tensor) -> Any:
    func, at = restrict_to_small_tensors(loss_function(func, target), at)
    at = _leaves(at)
    first = _pull(func(at), at, create_graph=True)
    blocks = {}
    for name, gradient in first.items():
        rows = [_pull(element, at, retain_graph=True) for element in gradient.flatten()]
        blocks[name] = {
            other: torch.stack([row[other] for row in rows]).reshape(*gradient.shape, *at[other].shape) for other in at
        }
    return blocks


def _forward_over_reverse(func: Func, at: Tensors, target: Tensor) -> Any:
    return torch.func.jvp(torch.func.grad(loss_function(func, target)), (at,), (make_tangents(at),))[1]


def _reverse_over_forward(func: Func, at: Tensors, target: Tensor) -> Any:
    direction = make_tangents(at)
    return torch.func.grad(lambda at: torch.func.jvp(loss_function(func, target), (at,), (direction,))[1])(at)


def _reverse_over_reverse(func: Func, at: Tensors, target: Tensor) -> Any:
    at = _leaves(at)
    first = _pull(loss(func(at), target), at, create_graph=True)
    slope = sum(((first[name] * direction).sum() for name, direction in make_tangents(at).items()), torch.zeros(()))
    return _pull(slope, at)


DERIVATIVES: Mapping[str, Derivative] = {
    "grad": Derivative(_grad, _grad_backward),
    "grad_and_value": Derivative(_grad_and_value, _grad_and_value_backward),
    "vjp": Derivative(_vjp, _vjp_backward),
    "jvp": Derivative(_jvp, _jvp_backward),
    "jacrev": Derivative(_jacrev, _jacobian_backward),
    "jacfwd": Derivative(_jacfwd, _jacobian_backward),
    "hessian": Derivative(_hessian, _hessian_backward),
    "forward_over_reverse": Derivative(_forward_over_reverse, _reverse_over_reverse),
    "reverse_over_forward": Derivative(_reverse_over_forward, _reverse_over_reverse),
}


def _leaves(at: Tensors) -> Tensors:
    return {name: tensor.detach().requires_grad_() for name, tensor in at.items()}


def _pull(value: Tensor, at: Tensors, cotangent: Tensor | None = None, **options: bool) -> dict[str, Tensor]:
    """Return the gradient of `value` in each tensor by name; zeros for a tensor that it does not depend on."""
    found = torch.autograd.grad([value], list(at.values()), [cotangent], allow_unused=True, **options)
    return {
        name: torch.zeros_like(tensor) if gradient is None else gradient
        for (name, tensor), gradient in zip(at.items(), found, strict=True)
    }
