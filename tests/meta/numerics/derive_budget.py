"""How much more than the loop may an ensemble err? Measures the ratio that `numerics.FACTOR` has to cover.

``python tests/meta/numerics/derive_budget.py 300`` prints the largest (ensemble - UNITS) / loop over that many seeds.
"""

import sys
from collections.abc import Iterator

import torch

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet, TiedNet
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.budget import UNITS, compute_budgets, max_error
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
CASES = {small_cnn: (1, 8, 8), NormNet: (3,), TiedNet: None}


def forward(model, x):
    return {"output": model(x)}


def gradients(model, x):
    model(x).square().mean().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def ratios(dtype: torch.dtype, seeds: range, *, backward: bool) -> Iterator[float]:
    """(ensemble - UNITS) / loop for each tensor of each member, both in units of its rounding."""
    for factory, shape in CASES.items():
        for seed in seeds:
            models = [model.eval() for model in members(factory, MEMBERS, seed=seed, dtype=dtype)]
            x = (
                draw(MEMBERS, SAMPLES, *shape, seed=seed, dtype=dtype)
                if shape
                else draw_tokens(MEMBERS, SAMPLES, seed=seed)
            )
            fmodel, params, buffers = TorchFunc().combine(models)
            out = TorchFunc().vmap(fmodel)(params, buffers, x)
            actual = {"output": out}
            if backward:
                out.square().flatten(1).mean(1).sum().backward()
                actual = {name: tensor.grad for name, tensor in params.items()}
            answer = loop(gradients if backward else forward, models, list(x))
            for name, tensor in actual.items():
                truths = [each[name] for each in answer.truth]
                allowed = compute_budgets([each[name] for each in answer.sample], truths, dtype)
                for member, truth, budget in zip(tensor, truths, allowed, strict=True):
                    yield max(0.0, max_error(member, truth) - UNITS * budget.unit) / budget.loop


def main(seeds: int) -> None:
    """Gradients in float64 alone: a coarser rounding carries activations over a ReLU's kink, where they jump."""
    for backward, dtypes in ((False, DTYPES), (True, [torch.float64])):
        for dtype in dtypes:
            found = sorted(ratios(dtype, range(seeds), backward=backward))
            what = "gradient" if backward else "forward"
            middle = found[len(found) * 99 // 100]
            sys.stdout.write(
                f"{what:9}{dtype!s:16}{len(found):7} comparisons, 99 % {middle:.2f}, largest {found[-1]:.2f}\n"
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]))
