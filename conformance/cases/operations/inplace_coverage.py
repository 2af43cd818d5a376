"""The in-place operations of torch's public API that the catalogue does not cover."""

import inspect
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.operations.inplace_ops import INDEX_AFTER_SLICE, INPLACE_OPERATIONS, RESHAPING

# In place by name, but not tested, with the reason.
EXCLUDED = {
    "Tensor.detach_": "it cuts the graph, and refuses views, and all mapped tensors are views",
    "Tensor.requires_grad_": "it changes a flag; vmap refuses it by name",
    "Tensor.share_memory_": "it moves memory and changes no value",
    "Tensor.rename_": "it names dimensions",
    "F.scaled_addmm_": "it multiplies 8-bit matrices, which only some devices support",
    "Tensor.resize_as_sparse_": "it takes sparse tensors",
    "Tensor.sparse_resize_": "it takes sparse tensors",
    "Tensor.sparse_resize_and_clear_": "it takes sparse tensors",
}
NAMESPACES = {"Tensor": torch.Tensor, "torch": torch, "F": F, "nn.init": nn.init}
# Special methods that begin with an i and are not in-place operators.
NOT_OPERATORS = ("__index__", "__init__", "__init_subclass__", "__int__", "__invert__", "__iter__")


def inplace_names() -> Iterator[str]:
    """Yield the names of all functions of torch that write in place, judging by their name or an `inplace` argument."""
    for space, owner in NAMESPACES.items():
        for name, each in inspect.getmembers(owner, callable):
            public = not name.startswith("_") or name.startswith("_foreach_")
            if (public and name.endswith("_")) or (space == "F" and public and _has_inplace(each)):
                yield f"{space}.{name}"
    yield from (f"Tensor.{name}" for name in dir(torch.Tensor) if name.startswith("__i") and name not in NOT_OPERATORS)
    yield "Tensor.__setitem__"


def _has_inplace(function: object) -> bool:
    return inspect.isfunction(function) and "inplace" in inspect.signature(function).parameters


def uncovered(known: set[str]) -> list[str]:
    """Return the in-place operations neither in the catalogue nor among `known`; torch.abs_ counts as Tensor.abs_."""
    covered = (
        {write.name.partition(" ")[0] for write in (*INPLACE_OPERATIONS, *INDEX_AFTER_SLICE, *RESHAPING)}
        | EXCLUDED.keys()
        | known
    )
    methods = {name.removeprefix("Tensor.") for name in covered if name.startswith("Tensor.")}
    return [each for each in inplace_names() if each not in covered and each.removeprefix("torch.") not in methods]
