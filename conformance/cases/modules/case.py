"""The catalogue: every public class of torch.nn, with each option that changes its mathematics, one family a file.

A case is a name, a factory and its inputs. Its name begins with the class's, and says what is special after a dash.

Wherever a module takes samples along the first dimension of a tensor, there are `SAMPLES` of them, and nothing else is
of that length: a case whose tensors all begin with it can be taken apart into samples.
"""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from packaging.version import Version
from torch import Tensor, nn

from conformance.cases.data import SAMPLES
from conformance.cases.inputs import draw_minibatches
from conformance.utils.module_state import moved
from conformance.utils.pytree import leaves

__all__ = [
    "SAMPLES",
    "FunctionModule",
    "ModuleCase",
    "WithKeywords",
    "if_accepted",
    "if_available",
    "if_torch_at_least",
    "in_eval_mode",
]


@dataclass(frozen=True)
class ModuleCase:
    """A module to ensemble and one minibatch of its positional arguments: Inputs, nested as forward takes them."""

    name: str
    factory: Callable[[], nn.Module]
    inputs: tuple[Any, ...]

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """`n` modules whose parameters and floating buffers all differ, also where torch starts them with constants."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(torch.initial_seed())
            made = [self.factory() for _ in range(n)]
            for model in made:
                vary(model)
        return [moved(model, device, dtype) for model in made]

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """A minibatch for each of `n` members."""
        return draw_minibatches(self.inputs, n, device, dtype)

    def has_state(self) -> bool:
        """Is there a parameter or buffer?"""
        return self.has_parameters() or self.has_buffers()

    def has_parameters(self) -> bool:
        return any(True for _ in self._one.parameters())

    def has_buffers(self) -> bool:
        return any(True for _ in self._one.buffers())

    def takes_integers(self) -> bool:
        """Is there an integer tensor in a minibatch?"""
        minibatch = self.minibatches(1, device="cpu", dtype=torch.float32)[0]
        return any(isinstance(leaf, Tensor) and leaf.dtype == torch.int64 for _, leaf in leaves(minibatch, ""))

    @cached_property
    def _one(self) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.members(1, device="cpu", dtype=torch.float32)[0]

    def __str__(self) -> str:
        return self.name


def vary(model: nn.Module) -> None:
    """Move each floating parameter a little away from zero, and each floating buffer by a positive factor and term.

    Away from zero, since some are signs that torch rounds towards it: those of Householder's orthogonal weights.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand_like(parameter) / 4 * torch.where(parameter < 0, -1, 1))
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.mul_(torch.rand_like(buffer) + 0.5).add_(torch.rand_like(buffer) / 8)


def in_eval_mode(factory: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
    """The module in eval mode."""
    return factory(*args, **options).eval()


def if_available(owner: Any, name: str, cases: Callable[[Any], tuple[ModuleCase, ...]]) -> tuple[ModuleCase, ...]:
    """What `cases` makes of the class or function of that name, and nothing where this torch has none."""
    return cases(getattr(owner, name)) if hasattr(owner, name) else ()


def if_accepted(cls: type[nn.Module], option: str, *cases: ModuleCase) -> tuple[ModuleCase, ...]:
    """Cases with an option that not every torch's class has."""
    return cases if option in inspect.signature(cls).parameters else ()


def if_torch_at_least(release: str, *cases: ModuleCase) -> tuple[ModuleCase, ...]:
    """Likewise of a function, which can't be asked for its options: the release in which it got them."""
    return cases if Version(torch.__version__) >= Version(release) else ()


class WithKeywords(nn.Module):
    """A module whose last arguments go in by keyword: `Keywords(module, "key_padding_mask")(x, x, x, mask)`."""

    def __init__(self, module: nn.Module, *names: str, **constants: Any) -> None:
        super().__init__()
        self.module = module
        self.names = names
        self.constants = constants

    def forward(self, *args: Any) -> Any:
        count = len(args) - len(self.names)
        return self.module(*args[:count], **dict(zip(self.names, args[count:], strict=True)), **self.constants)


class FunctionModule(nn.Module):
    """A function without a module, and a parameter that bends the first argument, in which members differ.

    It bends, since many functions undo a factor or a term: what is normalized would be the same in all members.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.bend = nn.Parameter(torch.full((), 0.5))

    def forward(self, first: Tensor, *rest: Any) -> Any:
        return self.function(first + self.bend * first.sin(), *rest)
