"""The forms in which members run: the loop, and their stack mapped, in chunks, compiled, or written by hand."""

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
    """Runs all members; each thing that it gives is one tensor a member, in a list or stacked."""

    def forward(self) -> PerMember:
        """Each member's output, (samples, classes), without gradients."""
        ...

    def backward(self) -> Mapping[str, PerMember]:
        """Each parameter's gradient of the mean cross entropy of its member, by name."""
        ...

    def step(self) -> Mapping[str, PerMember]:
        """Each parameter, by name, after backward and one step of SGD: the very tensors."""
        ...


def make_optimizer(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=RATE)


class LoopVariant:
    """One member after the other, each with an optimizer of its own."""

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

    def _by_name(self, of: Callable[[nn.Parameter], Any]) -> dict[str, list[Tensor]]:
        names = [name for name, _ in self._models[0].named_parameters()]
        return {name: [of(model.get_parameter(name)) for model in self._models] for name in names}

    @staticmethod
    def _learn(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, classes: Tensor) -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(images), classes).backward()  # type: ignore[no-untyped-call]


class ParameterStack:
    """The members' parameters in one stack, by name, and its optimizer."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        self.fmodel, self.params, _ = TorchFunc().combine(models)
        self.optimizer = make_optimizer(self.params.values())
        self._models = models

    def restore(self) -> None:
        """The members' parameters, as they are now."""
        with torch.no_grad():
            for name, tensor in self.params.items():
                for i, model in enumerate(self._models):
                    tensor[i].copy_(model.get_parameter(name))


class StackedVariant:
    """All members at once, by `outputs(params, images)`: (members, samples, classes)."""

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
        # Each member's mean, added up: its gradients are its own.
        total = F.cross_entropy(outputs.flatten(0, 1), self._classes.flatten(), reduction="sum")
        (total / self._classes.shape[1]).backward()  # type: ignore[no-untyped-call]
        return {name: tensor.grad for name, tensor in self._stack.params.items() if tensor.grad is not None}

    def step(self) -> dict[str, Tensor]:
        self.backward()
        self._stack.optimizer.step()
        return self._stack.params


def variant_unavailable_reason(form: str, size: Size, device: torch.device) -> str | None:
    """Why there is no such form of this size here; None if there is."""
    if form == "chunks" and size.members <= CHUNK:
        return f"a chunk has {CHUNK} members: this is vmap"
    return BACKEND.unavailable_reason(device) if form == "compiled" else None


def make_variants(
    names: Iterable[str], size: Size, stack: ParameterStack, images: Tensor, classes: Tensor
) -> dict[str, Variant]:
    """Of these names the forms, all but the loop: they share the stack, as they take turns."""

    def mapped(chunk_size: int | None = None) -> Outputs:
        return lambda params, x: torch.func.vmap(stack.fmodel, chunk_size=chunk_size)(params, {}, x)

    make: dict[str, Callable[[], Outputs]] = {
        "vmap": mapped,
        "chunks": lambda: mapped(CHUNK),
        "compiled": lambda: Compiler(BACKEND)(mapped()),
        "by hand": lambda: size.network.by_hand,
    }
    return {name: StackedVariant(stack, make[name](), images, classes) for name in names}
