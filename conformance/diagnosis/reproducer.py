"""A script of a call that needs torch alone: what one member computes, as torch's operations, by vmap and by a loop."""

import contextlib
import io
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from conformance.checks.subject import output_tensors
from conformance.diagnosis.recorder import RecordedCall, detached_copy
from conformance.reference.vmap import spread_dims
from conformance.utils.pytree import children, leaves, rebuild

MAX_NUMBERS = 3000  # more of them are no script to read
TEMPLATE = '''\
"""What torch.func.vmap gives beside a loop over the members: ends with 1 if they differ. Seen on torch {version}."""

import torch
from torch import device, inf, nan


def member({arguments}):
{body}

inputs = [
{inputs}
]
dims = {dims}


def loop(*inputs):
    size = next(x.shape[dim] for x, dim in zip(inputs, dims) if dim is not None)
    members = [[x if dim is None else x.select(dim, i) for x, dim in zip(inputs, dims)] for i in range(size)]
    return [torch.stack(outputs) for outputs in zip(*(member(*each) for each in members))]


def numbers(func):
    """The outputs, and the gradients of their weighted sum."""
    given = [x.clone().requires_grad_(x.is_floating_point() or x.is_complex()) for x in inputs]
    outputs = [y for y in func(*given)]
    found = [(f"output {{i}}", y.detach()) for i, y in enumerate(outputs)]
    learning = [y for y in outputs if y.requires_grad]
    if learning:
        weights = [torch.arange(1, 1 + y.numel()).to(y.dtype).cos().reshape(y.shape) for y in learning]
        total = sum((y * w).sum().abs() if y.is_complex() else (y * w).sum() for y, w in zip(learning, weights))
        asked = [i for i, x in enumerate(given) if x.requires_grad]
        gradients = torch.autograd.grad(total, [given[i] for i in asked], allow_unused=True)
        found += [(f"gradient of input {{i}}", g) for i, g in zip(asked, gradients) if g is not None]
    return found


different = False
for (name, ours), (_, theirs) in zip(numbers(torch.func.vmap(member, in_dims=dims)), numbers(loop)):
    if ours.shape != theirs.shape:
        different = True
        print(name, "has shape", tuple(ours.shape), "by vmap and", tuple(theirs.shape), "by the loop")
    elif not torch.allclose(ours, theirs, 1e-4, 1e-6, equal_nan=True):
        different = True
        print(name, "differs by up to", (ours - theirs).abs().max().item())
raise SystemExit(int(different))
'''


def make_reproducer(call: RecordedCall) -> str | None:
    """Source that shows by torch alone that this call differs from a loop; None if it can't, or torch alone does not.

    It was run: what it claims is so on this torch.
    """
    for digits in (3, 17):  # few, if it shows with few
        try:
            text = _write_source(call, digits)
        except Exception:  # noqa: BLE001 - what can't be traced has no script, and is told without
            return None
        if text and _shows_difference(text):
            return text
    return None


def _write_source(call: RecordedCall, digits: int) -> str | None:
    dims = call.in_dims if isinstance(call.in_dims, tuple) else (call.in_dims,) * len(call.inputs)
    spread = spread_dims(dims, call.inputs, "in_dims")
    given = [leaf for _, leaf in leaves(call.inputs, "")]
    dim_of = [dim.value for _, dim in leaves(spread, "")]
    mapped = [i for i, leaf in enumerate(given) if isinstance(leaf, Tensor)]
    if sum(given[i].numel() for i in mapped) > MAX_NUMBERS or any(given[i].device.type != "cpu" for i in mapped):
        return None

    def member(*tensors_of_member: Tensor) -> list[Tensor]:
        filled = list(given)
        for i, tensor in zip(mapped, tensors_of_member, strict=True):
            filled[i] = tensor
        return list(output_tensors(call.func(*_fill(call.inputs, iter(filled)), **call.kwargs)))

    slices = [
        detached_copy(given[i]) if dim_of[i] is None else detached_copy(given[i].select(dim_of[i], 0)) for i in mapped
    ]
    traced = make_fx(member)(*slices)
    arguments, _, body = traced.code.partition("def forward(self, ")[2].partition("):\n")
    if "self." in body:
        return None  # it holds tensors of its own
    return TEMPLATE.format(
        version=torch.__version__,
        arguments=arguments,
        body=body,
        inputs="\n".join(f"    {_literal(given[i], digits)}," for i in mapped),
        dims=repr(tuple(dim_of[i] for i in mapped)),
    )


def _fill(tree: Any, values: Any) -> Any:
    pairs = children(tree)
    return next(values) if pairs is None else rebuild(tree, [_fill(child, values) for _, child in pairs])


def _literal(tensor: Tensor, digits: int) -> str:
    values = [float(f"{x:.{digits}g}") if isinstance(x, float) else x for x in tensor.flatten().tolist()]
    return f"torch.tensor({values}, dtype={tensor.dtype}).reshape({tuple(tensor.shape)})"


def _shows_difference(text: str) -> bool:
    """Does it end with 1?"""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text, "script", "exec"), {"__name__": "script"})  # noqa: S102 - made above, of torch's code
    except SystemExit as end:
        return end.code == 1
    except Exception:  # noqa: BLE001 - an error is what it shows, where the loop has none
        return False
    return False
