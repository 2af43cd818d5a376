"""Members made from a seed, and the values that NumPy computes for what a seed draws.

The golden values are in fixtures/golden_seeds.json; fixtures/generate/golden_seeds.py computes and explains them.
They are exact. The file also has NumPy's float32 values: their rounding error is what a build of torch may have. Other
draws of torch 2.13.0 are in fixtures/recorded_draws.json; a difference from these is reported, and is not a failure.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.members import members
from conformance.implementations.ensemble import Ensemble
from conformance.implementations.protocol import Implementation
from conformance.numerics.assertions import assert_same
from conformance.numerics.budget import Budget, max_error, rounding_unit
from conformance.numerics.plain_loop import LoopResult
from conformance.reference.simple_cnn import SimpleCNN, small_cnn
from conformance.spec.locations import FIXTURES

SEEDS = (0, 1, 2**31 + 7)
HEAD_SIZE = 5

Factory = Callable[[], nn.Module]


class GoldenDraws(nn.Module):
    """Draws by torch's functions. Fewer than 16 normal numbers are drawn in another way than 16 or more."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rand", torch.rand(7))
        self.register_buffer("randn", torch.randn(5))
        self.register_buffer("randn_of_16", torch.randn(16))
        self.register_buffer("randn_of_100", torch.randn(100))
        self.register_buffer("randint", torch.randint(100, (11,)))
        self.register_buffer("randperm", torch.randperm(23))
        self.register_buffer("bernoulli", torch.bernoulli(torch.arange(1, 24) / 24))


class RecordedDraws(nn.Module):
    """Draws without a golden value: they may differ in another release of torch, or on another CPU."""

    def __init__(self) -> None:
        super().__init__()
        even, rising = torch.full((20,), 0.3), torch.arange(1.0, 21.0)
        for name, tensor in {
            "bernoulli_": torch.empty(20).bernoulli_(0.3),
            "binomial": torch.binomial(rising, even),
            "cauchy_": torch.empty(20).cauchy_(),
            "complex randn": torch.view_as_real(torch.randn(20, dtype=torch.complex64)),
            "dropout": nn.functional.dropout(rising),
            "exponential_": torch.empty(20).exponential_(),
            "float16 randn": torch.randn(20, dtype=torch.float16),
            "float64 rand": torch.rand(20, dtype=torch.float64),
            "float64 randn": torch.randn(20, dtype=torch.float64),
            "geometric_": torch.empty(20).geometric_(0.3),
            "gumbel_softmax": nn.functional.gumbel_softmax(even),
            "log_normal_": torch.empty(20).log_normal_(),
            "multinomial": torch.multinomial(rising, 20, replacement=True),
            "normal of tensors": torch.normal(rising, rising),
            "poisson": torch.poisson(rising),
            "randint of 2**40": torch.randint(2**40, (20,)),
            "random_": torch.empty(20).random_(),
            "rrelu": nn.functional.rrelu(-rising, training=True),
            "trunc_normal_": nn.init.trunc_normal_(torch.empty(20)),
        }.items():
            self.register_buffer(name, tensor)


class GoldenInits(nn.Module):
    """Wide and tall matrices, initialized by functions of torch.nn.init."""

    def __init__(self) -> None:
        super().__init__()
        inits: dict[str, Callable[[Tensor], Tensor]] = {
            "orthogonal": nn.init.orthogonal_,
            "kaiming_normal": nn.init.kaiming_normal_,
            "xavier_uniform": nn.init.xavier_uniform_,
        }
        for name, init in inits.items():
            self.register_parameter(f"{name}_tall", nn.Parameter(init(torch.empty(7, 5))))
            self.register_parameter(f"{name}_wide", nn.Parameter(init(torch.empty(5, 7))))


MODULES: MappingProxyType[str, Factory] = MappingProxyType(
    {
        "Linear": lambda: nn.Linear(3, 11),
        "Bilinear": lambda: nn.Bilinear(2, 3, 5),
        "Embedding": lambda: nn.Embedding(11, 3),
        "BatchNorm2d": lambda: nn.BatchNorm2d(3),
        "LSTM": lambda: nn.LSTM(3, 5),
        "MultiheadAttention": lambda: nn.MultiheadAttention(4, 2),
        "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 2, 7),
        "small_cnn": small_cnn,
        "SimpleCNN": SimpleCNN,
    }
)
GOLDEN: MappingProxyType[str, Factory] = MappingProxyType({"draws": GoldenDraws, "inits": GoldenInits, **MODULES})


def make_with_manual_seed(factory: Factory, n: int, seed: int) -> list[nn.Module]:
    """Return `n` models as the tutorial makes them: seed torch, then make one after the other."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [factory() for _ in range(n)]


def make_with_members(factory: Factory, n: int, seed: int) -> list[nn.Module]:
    """Return `n` models as this suite makes them."""
    return members(factory, n, seed=seed)


MAKERS = MappingProxyType({"manual_seed": make_with_manual_seed, "members": make_with_members})


def stack_state(implementation: Implementation, models: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Return the stacked parameters and buffers by name, detached."""
    ensemble = Ensemble(implementation, models)
    return {**ensemble.detached, **ensemble.buffers}


def assert_stacks(implementation: Implementation, factory: Factory, n: int, seed: int, expected: Any) -> None:
    """Assert that `n` members from this seed stack to exactly these tensors, with each of `MAKERS`.

    It is meant to run in a separate process.
    """
    found = [stack_state(implementation, make(factory, n, seed)) for make in MAKERS.values()]
    assert_same(found, expected, "stack")


def summarize(tensor: Tensor) -> dict[str, Tensor]:
    """Return the first elements, a checksum of all elements and positions, and the sum of the terms' sizes."""
    flat = tensor.detach().flatten()
    wide = flat.double() if flat.is_floating_point() else flat
    terms = wide * (torch.arange(flat.numel(), device=flat.device) % 101 - 50)
    return {"head": flat[:HEAD_SIZE], "checksum": torch.stack([terms.sum(), terms.abs().sum()])}


def load_golden_summaries(name: str, device: torch.device | str) -> LoopResult:
    """Return `summarize` of each tensor of `GOLDEN[name]`, for each of `SEEDS`, as a result of the plain loop."""
    stored = _read_golden()[name]
    exact, rounded = (
        [_read_tensors(stored[str(seed)], which, "cpu") for seed in SEEDS] for which in ("exact", "float32")
    )
    on_device = [_read_tensors(stored[str(seed)], "float32", device) for seed in SEEDS]
    return LoopResult(values=on_device, truth=exact, sample=rounded)


def differs_from_recorded(name: str, tensor: Tensor) -> bool:
    """Return True if this tensor of `RecordedDraws` from the first seed differs from torch 2.13.0 beyond rounding."""
    recorded = torch.tensor(_read_recorded()[name], dtype=torch.float64)
    one_rounding = rounding_unit(recorded, tensor.dtype) if tensor.is_floating_point() else 0.0
    return max_error(tensor.flatten(), recorded) > Budget(one_rounding, one_rounding).allowed


def _read_tensors(stored: dict[str, Any], which: str, device: torch.device | str) -> dict[str, dict[str, Tensor]]:
    return {
        name: {part: _read_tensor(values, part, which, device) for part, values in each[which].items()}
        for name, each in stored.items()
    }


def _read_tensor(values: list[Any], part: str, which: str, device: torch.device | str) -> Tensor:
    if isinstance(values[0], int):
        return torch.tensor(values, device=device)
    dtype = torch.float32 if (part, which) == ("head", "float32") else torch.float64
    return torch.tensor(values, dtype=dtype, device=device)


@cache
def _read_golden() -> dict[str, Any]:
    return json.loads((FIXTURES / "golden_seeds.json").read_text(encoding="utf-8"))


@cache
def _read_recorded() -> dict[str, list[float]]:
    return json.loads((FIXTURES / "recorded_draws.json").read_text(encoding="utf-8"))
