"""SimpleCNN with its state in closed form, and the logits and gradients that NumPy computes for it.

The values are in fixtures/golden.json; fixtures/generate/golden.py computes them and explains the closed form. They
detect a build on which the plain loop and the ensemble are both wrong.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from conformance.reference.simple_cnn import SimpleCNN
from conformance.spec.locations import FIXTURES

GOLDEN_FILE = FIXTURES / "golden.json"
SIZES = ("small", "full")
# The numbers of these tensors in the closed form; the parameters are tensors 0 to 7.
INPUT, LOSS_WEIGHTS = 8, 9


@dataclass(frozen=True)
class GoldenCase:
    """Models, minibatches (members, samples, channels, height, width), and NumPy's values for each member.

    `logits` are (samples, classes). `gradients` hold `summarize` of each parameter's gradient, for the loss
    sum(logits * `loss_weights`). Both are float64 on the CPU.
    """

    models: list[SimpleCNN]
    minibatches: Tensor
    loss_weights: Tensor
    logits: list[Tensor]
    gradients: list[dict[str, dict[str, Tensor]]]


def load_golden_cases(size: str, *, device: torch.device | str, dtype: torch.dtype) -> GoldenCase:
    """Return the golden case of that size, "small" or "full"."""
    case = _file()[size]
    sizes, scales, n = case["sizes"], case["scales"], case["members"]
    sizes = {**sizes, "channels": tuple(sizes["channels"])}
    image = (sizes["channels"][0], sizes["image_size"], sizes["image_size"])

    def stacked(shape: tuple[int, ...], tensor: int) -> Tensor:
        values = [closed_form((case["samples"], *shape), tensor, member, scales[tensor]) for member in range(n)]
        return torch.stack(values).to(device, dtype)

    return GoldenCase(
        models=[_model(sizes, member, scales).to(device=device, dtype=dtype) for member in range(n)],
        minibatches=stacked(image, INPUT),
        loss_weights=stacked((sizes["classes"],), LOSS_WEIGHTS),
        logits=[torch.tensor(each, dtype=torch.float64) for each in case["logits"]],
        gradients=[
            {
                name: {k: torch.tensor(v, dtype=torch.float64) for k, v in stored.items()}
                for name, stored in each.items()
            }
            for each in case["gradients"]
        ],
    )


def closed_form(shape: tuple[int, ...], tensor: int, member: int, scale: float) -> Tensor:
    """Return tensor number `tensor` of a member in float64; only the last step is not integer arithmetic."""
    j = torch.arange(math.prod(shape))
    residue = (31 * j * j + (17 * tensor + 5 * member + 3) * j + 1009 * member + 101 * tensor) % 10007
    return ((residue.double() / 10007 - 0.5) * scale).reshape(shape)


def summarize(gradients: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return about 200 elements of each gradient, a checksum of all its elements, and the sum of the terms' sizes."""
    summaries = {}
    for t, (name, gradient) in enumerate(gradients.items()):
        terms = gradient * closed_form(tuple(gradient.shape), t, 0, 1.0).to(gradient)
        summaries[name] = {
            "sample": gradient.flatten()[:: max(1, gradient.numel() // 200)],
            "checksum": torch.stack([terms.sum(), terms.abs().sum()]),
        }
    return summaries


def _model(sizes: dict[str, Any], member: int, scales: list[float]) -> SimpleCNN:
    model = SimpleCNN(**sizes).double()
    with torch.no_grad():
        for t, parameter in enumerate(model.parameters()):
            parameter.copy_(closed_form(tuple(parameter.shape), t, member, scales[t]))
    return model


@cache
def _file() -> dict[str, Any]:
    return json.loads(GOLDEN_FILE.read_text(encoding="utf-8"))
