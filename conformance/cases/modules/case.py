"""Cases of the catalogue of modules: a name, a factory and inputs.

The catalogue has every public class of torch.nn, with each option that changes its mathematics; each family has its own
file. A case's name is that of its class, followed by a dash and the option, if there is one.

Tensors have `SAMPLES` samples in dimension 0, and no other dimension has this size. A case whose tensors all begin with
it can be split into samples.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from packaging.version import Version
from torch import Tensor, nn

from conformance.cases.data import SAMPLES
from conformance.cases.inputs import draw_minibatches
from conformance.utils.module_state import move_module
from conformance.utils.probing import without_warnings
from conformance.utils.pytree import leaves

__all__ = [
    "SAMPLES",
    "FunctionModule",
    "ModuleCase",
    "WithKeywords",
    "function_case",
    "if_accepted",
    "if_available",
    "if_torch_at_least",
    "in_eval_mode",
]


@dataclass(frozen=True)
class ModuleCase:
    """A module to ensemble, with its positional arguments: Inputs, nested as forward takes them."""

    name: str
    factory: Callable[[], nn.Module]
    inputs: tuple[Any, ...]

    def members(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[nn.Module]:
        """Return `n` modules whose parameters and floating buffers all differ, even torch's constants."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(torch.initial_seed())
            made = [self.factory() for _ in range(n)]
            for model in made:
                vary(model)
        return [move_module(model, device, dtype) for model in made]

    def minibatches(self, n: int, *, device: torch.device | str, dtype: torch.dtype) -> list[tuple[Any, ...]]:
        """Return a minibatch for each of `n` members."""
        return draw_minibatches(self.inputs, n, device, dtype)

    def has_state(self) -> bool:
        """Return True if the module has a parameter or buffer."""
        return self.has_parameters() or self.has_buffers()

    def has_parameters(self) -> bool:
        """Return True if the module has a parameter."""
        return any(True for _ in self._one.parameters())

    def has_buffers(self) -> bool:
        """Return True if the module has a buffer."""
        return any(True for _ in self._one.buffers())

    def takes_integers(self) -> bool:
        """Return True if a minibatch has an integer tensor."""
        minibatch = self.minibatches(1, device="cpu", dtype=torch.float32)[0]
        return any(isinstance(leaf, Tensor) and leaf.dtype == torch.int64 for _, leaf in leaves(minibatch, ""))

    @cached_property
    def _one(self) -> nn.Module:
        with without_warnings():
            return self.members(1, device="cpu", dtype=torch.float32)[0]

    def __str__(self) -> str:
        return self.name


def vary(model: nn.Module) -> None:
    """Move each parameter away from zero by a random amount, and scale and shift each floating buffer.

    Moving towards zero would change the signs that Householder's orthogonal weights store in a parameter.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.rand_like(parameter) / 4 * torch.where(parameter < 0, -1, 1))
        for buffer in model.buffers():
            if buffer.is_floating_point():
                buffer.mul_(torch.rand_like(buffer) + 0.5).add_(torch.rand_like(buffer) / 8)


def in_eval_mode(factory: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
    """Return the factory's module in eval mode."""
    return factory(*args, **options).eval()


def if_available(owner: Any, name: str, cases: Callable[[Any], tuple[ModuleCase, ...]]) -> tuple[ModuleCase, ...]:
    """Return `cases` of the class or function of that name, or no cases if this torch lacks it."""
    return cases(getattr(owner, name)) if hasattr(owner, name) else ()


def if_accepted(cls: type[nn.Module], option: str, *cases: ModuleCase) -> tuple[ModuleCase, ...]:
    """Return the cases if the class accepts the option in this torch, else none."""
    return cases if option in inspect.signature(cls).parameters else ()


def if_torch_at_least(release: str, *cases: ModuleCase) -> tuple[ModuleCase, ...]:
    """Return the cases if this torch is at least that release, else none: for functions without a signature."""
    return cases if Version(torch.__version__) >= Version(release) else ()


class WithKeywords(nn.Module):
    """A module that gets its last arguments by keyword: `WithKeywords(module, "key_padding_mask")(x, x, x, mask)`."""

    def __init__(self, module: nn.Module, *names: str, **constants: Any) -> None:
        super().__init__()
        self.module = module
        self.names = names
        self.constants = constants

    def forward(self, *args: Any) -> Any:
        count = len(args) - len(self.names)
        return self.module(*args[:count], **dict(zip(self.names, args[count:], strict=True)), **self.constants)


class FunctionModule(nn.Module):
    """A function as a module, with a parameter that transforms the first argument, so that members differ.

    The transform is nonlinear, because many functions undo a factor or a term: normalizations, for example.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.bend = nn.Parameter(torch.full((), 0.5))

    def forward(self, first: Tensor, *rest: Any) -> Any:
        return self.function(first + self.bend * first.sin(), *rest)


def function_case(name: str, function: Callable[..., Any], *inputs: Any) -> ModuleCase:
    """Return the case of a function, called with these inputs."""
    return ModuleCase(name, partial(FunctionModule, function), inputs)
