"""Random inputs, drawn from an explicit seed without changing the caller's random state.

`SAMPLES` is a prime that is not a size in any small module, so that confused dimensions show.
"""

from typing import Any

import torch
from torch import Tensor

SAMPLES = 7
# For pytest.mark.parametrize: the in_dim of the minibatches. Each member has its own one, or all members share one.
OWN_AND_SHARED: dict[str, Any] = {"argvalues": (0, None), "ids": ("own", "shared")}


def draw(
    *shape: int,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return a standard normal tensor of this shape, with the same numbers on every device.

    Complex numbers have an independent imaginary part. The default seed is `torch.initial_seed()`.
    """
    drawn_dtype = torch.complex64 if dtype.is_complex else torch.float32
    return torch.randn(shape, generator=_generator(seed), dtype=drawn_dtype).to(device=device, dtype=dtype)


def draw_whole_numbers(*shape: int, seed: int | None = None, device: torch.device | str = "cpu") -> Tensor:
    """Return small whole numbers in float32, so that sums and products are exact."""
    return draw(*shape, seed=seed, device=device).mul(8).round()


def draw_tokens(*shape: int, seed: int | None = None, device: torch.device | str = "cpu") -> Tensor:
    """Return integers from 0 to 10, for `TiedNet`."""
    return torch.randint(11, shape, generator=_generator(seed)).to(device)


def _generator(seed: int | None) -> torch.Generator:
    """Return a generator with a separate stream: with the members' seed, the inputs would repeat the first weights."""
    return torch.Generator().manual_seed((torch.initial_seed() if seed is None else seed) ^ 0x5EED)
