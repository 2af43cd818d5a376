"""Members from a seed: ways to make them, and the values that NumPy computes for what a seed draws.

The golden values are in fixtures/golden_seeds.json; fixtures/generate/golden_seeds.py computes them and says how.
They are exact, and beside them stands what float32 makes of them in NumPy: its rounding is what a build of torch is
granted. What torch 2.13.0 draws beyond them is in fixtures/recorded_draws.json, to be compared and not to be judged.
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
from conformance.numerics.budget import Budget, error, unit
from conformance.numerics.plain_loop import LoopResult
from conformance.reference.simple_cnn import SimpleCNN, small_cnn
from conformance.spec.locations import FIXTURES

SEEDS = (0, 1, 2**31 + 7)
HEAD_SIZE = 5

Factory = Callable[[], nn.Module]


class GoldenDraws(nn.Module):
    """What torch's own functions draw: below and above 16 normals, which are drawn in different ways."""

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
    """What no golden value is known for: torch may draw it otherwise in another release, and on another CPU."""

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
    """Matrices that are wider, or taller, than they are tall, or wide, from functions of torch.nn.init."""

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
    """As the tutorial makes them: seed torch, then make one after the other."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [factory() for _ in range(n)]


def make_with_members(factory: Factory, n: int, seed: int) -> list[nn.Module]:
    """As this suite makes them."""
    return members(factory, n, seed=seed)


MAKERS = MappingProxyType({"manual_seed": make_with_manual_seed, "members": make_with_members})


def stack_state(implementation: Implementation, models: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The stacked state by name, as values."""
    ensemble = Ensemble(implementation, models)
    return {**ensemble.detached, **ensemble.buffers}


def assert_stacks(implementation: Implementation, factory: Factory, n: int, seed: int, expected: Any) -> None:
    """`n` members from this seed have, made in each of `WAYS`, these stacks, bitwise; for a process of its own."""
    found = [stack_state(implementation, make(factory, n, seed)) for make in MAKERS.values()]
    assert_same(found, expected, "stack")


def summarize(tensor: Tensor) -> dict[str, Tensor]:
    """The first elements, and a sum in which every element and its place counts, beside the size of its terms."""
    flat = tensor.detach().flatten()
    wide = flat.double() if flat.is_floating_point() else flat
    terms = wide * (torch.arange(flat.numel(), device=flat.device) % 101 - 50)
    return {"head": flat[:HEAD_SIZE], "checksum": torch.stack([terms.sum(), terms.abs().sum()])}


def load_golden_summaries(name: str, device: torch.device | str) -> LoopResult:
    """What `summary` gives for each tensor of `GOLDEN[name]`, from each of `SEEDS`."""
    kept = _read_golden()[name]
    exact, rounded = (
        [_read_tensors(kept[str(seed)], which, "cpu") for seed in SEEDS] for which in ("exact", "float32")
    )
    on_device = [_read_tensors(kept[str(seed)], "float32", device) for seed in SEEDS]
    return LoopResult(values=on_device, truth=exact, sample=rounded)


def differs_from_recorded(name: str, tensor: Tensor) -> bool:
    """Is this tensor of `OtherDraws`, from the first seed, another one than torch 2.13.0 drew, but for rounding?"""
    recorded = torch.tensor(_read_recorded()[name], dtype=torch.float64)
    one_rounding = unit(recorded, tensor.dtype) if tensor.is_floating_point() else 0.0
    return error(tensor.flatten(), recorded) > Budget(one_rounding, one_rounding).allowed


def _read_tensors(kept: dict[str, Any], which: str, device: torch.device | str) -> dict[str, dict[str, Tensor]]:
    return {
        name: {part: _read_tensor(values, part, which, device) for part, values in each[which].items()}
        for name, each in kept.items()
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
