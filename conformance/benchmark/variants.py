"""The variants that are timed: a loop over members, and their stack by vmap, in chunks, compiled, or by hand."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.benchmark.grid import Size
from conformance.implementations.torch_func import TorchFunc
from conformance.utils.torch_compile import INDUCTOR, Compiler

BACKEND = INDUCTOR
CHUNK = 8
RATE = 1e-3
VARIANTS = ("loop", "vmap", "chunks", "compiled", "by hand")

Outputs = Callable[[dict[str, Tensor], Tensor], Tensor]
PerMember = Sequence[Tensor] | Tensor


class Variant(Protocol):
    """A way to run all members. Results have one tensor for each member, in a list or stacked."""

    def forward(self) -> PerMember:
        """Return each member's output, (samples, classes), without gradients."""
        ...

    def backward(self) -> Mapping[str, PerMember]:
        """Return each parameter's gradient of its member's mean cross entropy, by name."""
        ...

    def step(self) -> Mapping[str, PerMember]:
        """Return each parameter, by name, after backward and one step of SGD; no copies."""
        ...


def make_optimizer(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """Return the optimizer of all variants."""
    return torch.optim.SGD(parameters, lr=RATE)


class LoopVariant:
    """The loop over members, each with its own optimizer."""

    def __init__(self, models: Sequence[nn.Module], images: Tensor, classes: Tensor) -> None:
        self._optimizers = [make_optimizer(model.parameters()) for model in models]
        self._models = models
        self._given = list(zip(models, self._optimizers, images, classes, strict=True))

    def forward(self) -> list[Tensor]:
        with torch.no_grad():
            return [model(images) for model, _, images, _ in self._given]

    def backward(self) -> dict[str, list[Tensor]]:
        for each in self._given:
            self._learn(*each)
        return self._by_name(lambda parameter: parameter.grad)

    def step(self) -> dict[str, list[Tensor]]:
        for each in self._given:
            self._learn(*each)
            each[1].step()
        return self._by_name(lambda parameter: parameter)

    def _by_name(self, value_of: Callable[[nn.Parameter], Any]) -> dict[str, list[Tensor]]:
        names = [name for name, _ in self._models[0].named_parameters()]
        return {name: [value_of(model.get_parameter(name)) for model in self._models] for name in names}

    @staticmethod
    def _learn(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, classes: Tensor) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(images), classes).backward()  # type: ignore[no-untyped-call]


class ParameterStack:
    """The stacked parameters of the members, by name, and their optimizer."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.fmodel, self.params, _ = TorchFunc().combine(models)
        self.optimizer = make_optimizer(self.params.values())
        self._models = models

    def restore(self) -> None:
        """Copy the current parameters of the members into the stack."""
        with torch.no_grad():
            for name, tensor in self.params.items():
                for i, model in enumerate(self._models):
                    tensor[i].copy_(model.get_parameter(name))


class StackedVariant:
    """A variant that runs all members at once, by `outputs(params, images)`: (members, samples, classes)."""

    def __init__(self, stack: ParameterStack, outputs: Outputs, images: Tensor, classes: Tensor) -> None:
        self._stack = stack
        self._outputs = outputs
        self._images = images
        self._classes = classes

    def forward(self) -> Tensor:
        with torch.no_grad():
            return self._outputs(self._stack.params, self._images)

    def backward(self) -> dict[str, PerMember]:
        self._stack.optimizer.zero_grad()
        outputs = self._outputs(self._stack.params, self._images)
        # The sum of the members' means, so that each member's gradients are its own.
        total = F.cross_entropy(outputs.flatten(0, 1), self._classes.flatten(), reduction="sum")
        (total / self._classes.shape[1]).backward()  # type: ignore[no-untyped-call]
        return {name: tensor.grad for name, tensor in self._stack.params.items() if tensor.grad is not None}

    def step(self) -> dict[str, Tensor]:
        self.backward()
        self._stack.optimizer.step()
        return self._stack.params


def variant_unavailable_reason(variant: str, size: Size, device: torch.device) -> str | None:
    """Return why a variant does not exist for a size on a device, or None if it does."""
    if variant == "chunks" and size.members <= CHUNK:
        return f"a chunk has {CHUNK} members: equal to vmap"
    return BACKEND.unavailable_reason(device) if variant == "compiled" else None


def make_variants(
    names: Iterable[str], size: Size, stack: ParameterStack, images: Tensor, classes: Tensor
) -> dict[str, Variant]:
    """Return the named variants other than the loop. They share the stack, as they run in turn."""

    def mapped(chunk_size: int | None = None) -> Outputs:
        return lambda params, x: torch.func.vmap(stack.fmodel, chunk_size=chunk_size)(params, {}, x)

    make: dict[str, Callable[[], Outputs]] = {
        "vmap": mapped,
        "chunks": lambda: mapped(CHUNK),
        "compiled": lambda: Compiler(BACKEND)(mapped()),
        "by hand": lambda: size.network.by_hand,
    }
    return {name: StackedVariant(stack, make[name](), images, classes) for name in names}
