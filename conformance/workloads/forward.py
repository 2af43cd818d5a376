"""Forward passes, of a member for the plain loop and of an ensemble for the comparison."""

from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.data import draw
from conformance.implementations.protocol import Implementation


def forward(model: nn.Module, x: Any) -> Any:
    """Return a model's output for x."""
    return model(x)


@torch.no_grad()
def forward_without_grad(model: nn.Module, x: Any) -> Any:
    """Return a model's output for x, without recording it for backward."""
    return model(x)


def ensemble_forward(implementation: Implementation, models: Any, x: Tensor, in_dim: int | None = 0) -> Any:
    """Return the output of a new ensemble of these models, without gradients; `in_dim` is that of x."""
    fmodel, params, buffers = implementation.combine(models)
    with torch.no_grad():
        return implementation.vmap(fmodel, in_dims=(0, 0, in_dim))(params, buffers, x)


def images(*shape: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Tensor:
    """Return images of 8 by 8 pixels, (*shape, 8, 8), for small CNNs."""
    return draw(*shape, 8, 8, dtype=dtype, device=device)


def clone_state(state: Any) -> Any:
    """Return copies of stacked tensors, in a dict or a tuple as they are given."""
    if isinstance(state, dict):
        return {name: tensor.detach().clone() for name, tensor in state.items()}
    return tuple(tensor.detach().clone() for tensor in state)
