"""Reproducers: scripts that need torch alone and show that a `vmap` call differs from a loop over the members."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from conformance.checks.subject import output_tensors
from conformance.diagnosis.call_source import MAX_NUMBERS, call_source, literal
from conformance.diagnosis.execution import run_here
from conformance.diagnosis.recorder import RecordedCall, detached_copy
from conformance.reference.vmap import spread_dims
from conformance.utils.pytree import children, leaves, rebuild

TEMPLATE = '''\
"""Compare torch.func.vmap with a loop over the members; exit with 1 if they differ, as on torch {version}."""

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
    """Return the outputs, and the gradients of their weighted sum."""
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
    """Return the source of a script that shows that a call differs from a loop; None if no script shows it.

    The script needs torch alone. It was run, and exited with 1.
    """
    return next(filter(_shows_difference, _scripts(call)), None)


def _scripts(call: RecordedCall) -> Iterator[str]:
    """Yield scripts of the call: its operations as they are traced, then its functions as they are written."""
    tensors = [leaf for _, leaf in leaves((call.inputs, call.kwargs), "") if isinstance(leaf, Tensor)]
    if sum(each.numel() for each in tensors) > MAX_NUMBERS or any(each.device.type != "cpu" for each in tensors):
        return
    with contextlib.suppress(Exception):  # some calls can't be traced
        for digits in (3, 17):  # as few as still show the difference
            yield _write_source(call, digits)
    with contextlib.suppress(Exception):  # some values have no source, and the numbers of some can't be read
        yield call_source(call)


def _write_source(call: RecordedCall, digits: int) -> str:
    dims = call.in_dims if isinstance(call.in_dims, tuple) else (call.in_dims,) * len(call.inputs)
    spread = spread_dims(dims, call.inputs, "in_dims")
    given = [leaf for _, leaf in leaves(call.inputs, "")]
    dim_of = [dim.value for _, dim in leaves(spread, "")]
    mapped = [i for i, leaf in enumerate(given) if isinstance(leaf, Tensor)]

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
        raise ValueError("the traced code refers to tensors that are not inputs")
    return TEMPLATE.format(
        version=torch.__version__,
        arguments=arguments,
        body=body,
        inputs="\n".join(f"    {literal(given[i], digits)}," for i in mapped),
        dims=repr(tuple(dim_of[i] for i in mapped)),
    )


def _fill(tree: Any, values: Any) -> Any:
    pairs = children(tree)
    return next(values) if pairs is None else rebuild(tree, [_fill(child, values) for _, child in pairs])


def _shows_difference(text: str) -> bool:
    """Return whether a script, which is run, exits with 1."""
    return bool(run_here(text) == 1)
