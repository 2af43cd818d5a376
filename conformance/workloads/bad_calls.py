"""Calls that an implementation has to refuse, each a function of what it needs: ``lambda vmap, x: vmap(f, 9)(x)``."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from conformance.cases.members import members
from conformance.numerics.assertions import assert_same, refuses, unchanged

__tracebackhide__ = True  # a failing comparison is shown in the test that asks for it


def named(calls: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """Return `argvalues` and `ids` for pytest's `parametrize`: one case per call, named by its key."""
    return {"argvalues": list(calls.values()), "ids": list(calls)}


def assert_refused(implementation: Any, device: torch.device, call: Callable[..., Any], word: str) -> None:
    """Assert that the call is refused with that word and changes nothing, and that a good call after it is right.

    `call` gets by name what it asks for: the implementation's functions `vmap`, `combine` and `functional_call`, the
    tensors `x` and `y` (4, 3) and `scalar`, the modules `linear` and `lazy`, of which `lazy` has no weights yet.
    """
    x, y = (torch.arange(12.0, device=device).reshape(4, 3) for _ in range(2))
    linear = members(lambda: nn.Linear(3, 2), 1, device=device)[0]
    offered = {
        "vmap": implementation.vmap,
        "combine": implementation.combine,
        "functional_call": getattr(implementation, "functional_call", None),
        "x": x,
        "y": y,
        "scalar": x[0, 0],
        "linear": linear,
        "lazy": _lazy_linear(),
    }

    with unchanged(linear), refuses(word):
        call(**{name: offered[name] for name in inspect.signature(call).parameters})

    assert_same((x, y), (torch.arange(12.0, device=device).reshape(4, 3),) * 2)
    assert torch.rand(2, device=device).shape == (2,)
    assert_same(implementation.vmap(lambda row: row.sum() + row)(x), x.sum(1, keepdim=True) + x)


def _lazy_linear() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # older releases say that lazy modules are new
        return nn.LazyLinear(3)
