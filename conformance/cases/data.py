"""Random inputs, drawn from one visible seed without touching the caller's RNG.

`SAMPLES` is a prime that no small module has as a size of its own, so that no two dimensions can be mixed up.
"""

import torch
from torch import Tensor

SAMPLES = 7


def draw(
    *shape: int,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """A standard normal tensor of this shape, the same numbers on every device; the caller's RNG stays as it is.

    Complex numbers have an imaginary part of their own.
    """
    drawn = torch.complex64 if dtype.is_complex else torch.float32
    return torch.randn(shape, generator=_generator(seed), dtype=drawn).to(device=device, dtype=dtype)


def draw_whole_numbers(*shape: int, seed: int | None = None, device: torch.device | str = "cpu") -> Tensor:
    """Small whole numbers in float32, of which every sum and product is exact."""
    return draw(*shape, seed=seed, device=device).mul(8).round()


def draw_tokens(*shape: int, seed: int | None = None, device: torch.device | str = "cpu") -> Tensor:
    """Integers from 0 to 10, for `TiedNet`."""
    return torch.randint(11, shape, generator=_generator(seed)).to(device)


def _generator(seed: int | None) -> torch.Generator:
    """A stream of its own: with the members' seed as it is, the first numbers drawn would be the first weights."""
    return torch.Generator().manual_seed((torch.initial_seed() if seed is None else seed) ^ 0x5EED)
