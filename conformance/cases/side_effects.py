"""Modules whose forward has the side effects that the chapter `purity` tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS
from conformance.utils.module_state import gradients_in
from conformance.utils.probing import without_warnings
from conformance.utils.text import text_of


@dataclass(frozen=True)
class NumpyFunction:
    """A function that goes through NumPy, which torch may be installed without."""

    func: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.func(*args)

    def unavailable_reason(self, device: torch.device) -> str | None:  # noqa: ARG002 - the same on every device
        """Return torch's reason why NumPy is unavailable, or None if it is available."""
        try:
            with without_warnings():
                torch.zeros(1).numpy()
        except Exception as error:  # noqa: BLE001 - a NumPy that torch can't use may raise any exception
            return f"this torch has no NumPy here: {text_of(error)}"
        return None


class LinearThenBody(nn.Module):
    """A Linear, and then `body(hidden, x)`, which returns the output.

    Input (samples, 3), hidden (samples, 11).
    """

    def __init__(self, body: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 11)
        self.body = body

    def forward(self, x: Tensor) -> Any:
        return self.body(self.fc(x), x)


class BufferWriter(nn.Module):
    """A Linear that stores its mean output in buffers: `written` in place, in two ways, and `replaced` by a new tensor.

    Input (samples, 3), output (samples, 2), which depends on both buffers.
    """

    written: Tensor
    replaced: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.register_buffer("written", torch.randn(2))
        self.register_buffer("replaced", torch.randn(2))

    def forward(self, x: Tensor) -> Tensor:
        out = self.fc(x) + self.written + self.replaced
        self.written.mul_(0.5).add_(out.detach().mean(0))
        self.written[0] = self.written[1] - self.written[0]
        self.replaced = self.replaced * 0.5 + out.detach().mean(0)
        return out


class AttributeCounter(nn.Module):
    """A Linear times the number of calls, which is a Python attribute.

    Input (samples, 3), output (samples, 2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.fc(x) * self.calls


class LastOutputAdder(nn.Module):
    """A Linear plus the output of the last call, which is a plain attribute.

    Input (samples, 3), output (samples, 2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        out = self.fc(x) if self.last is None else self.fc(x) + self.last
        self.last = out
        return out


class BufferCounter(nn.Module):
    """A module that counts its calls in a buffer and then calls `body`, which may fail.

    Input (samples, 3), output (samples, 2).
    """

    count: Tensor

    def __init__(self, body: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.body = body
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        return self.body(self.fc(x))


class PausingNet(nn.Module):
    """Linear, `meet()`, Linear: `meet` may wait for another thread.

    Input (samples, 3), output (samples, 2).
    """

    def __init__(self, meet: Callable[[], None]) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 11)
        self.fc2 = nn.Linear(11, 2)
        self.meet = meet

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.fc1(x))
        self.meet()
        return self.fc2(hidden)


def make_normalization(kind: str, options: dict[str, Any]) -> nn.Module:
    """Return the normalization of that name in torch.nn for 3 channels, with random state, so that members differ."""
    module: nn.Module = getattr(nn, kind)(3, **options)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    for name, buffer in module.named_buffers():
        if name == "num_batches_tracked":
            buffer.random_(2**40)
        else:
            nn.init.uniform_(buffer, 0.5, 2.0)
    return module


def make_minibatches(data: int | None, device: torch.device | str) -> tuple[Tensor, list[Tensor]]:
    """Return minibatches for the ensemble, and as a list with one for each member.

    With `data` 0 each member has its own, (members, samples, 3); else all share one, (samples, 3).
    """
    x = draw(MEMBERS, SAMPLES, 3, device=device, dtype=torch.float64)
    return (x, list(x)) if data == 0 else (x[0], [x[0]] * MEMBERS)


def sum_of_squares(output: Tensor) -> Tensor:
    """Return a scalar loss."""
    return output.square().sum()


def output_and_gradients(model: nn.Module, x: Tensor) -> dict[str, Any]:
    """Return a model's output, and the gradients of its sum of squares by backward."""
    out = model(x)
    sum_of_squares(out).backward()  # type: ignore[no-untyped-call]
    return {"out": out, "gradients": gradients_in(model)}
