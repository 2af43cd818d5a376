"""How much more than the loop may an ensemble err in other precisions and under settings, and how much the loop?

``python tests/meta/numerics/derive_parity.py 300`` prints, for each dtype and setting over that many seeds, the largest
(ensemble - UNITS) / loop, which `numerics.FACTOR` has to cover, and the loop's largest error in roundings, which
`precision.MAX_GRADIENT_ROUNDINGS` has to.
"""

import math
import sys
import warnings
from contextlib import suppress

import torch

from conformance.cases import smooth_cases
from conformance.cases.numeric_settings import AUTOCASTS, LIBRARIES, NO_SETTING
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.budget import UNITS, compute_budgets, max_error
from conformance.utils.pytree import is_inexact, leaves
from conformance.workloads import precision
from conformance.workloads.plausibility import relative_error
from conformance.workloads.precision import PrecisionRun, Setup

HALVES = (torch.bfloat16, torch.float16)
REALS = [(dtype, NO_SETTING) for dtype in (torch.float32, torch.float64, *HALVES)]
# As many threads as one likes, and where autocast stands, change little: one of each kind says enough.
ONEDNN_OFF = LIBRARIES[0]
SET = [(torch.float32, setting) for setting in (ONEDNN_OFF, *AUTOCASTS[::2])] + [(torch.bfloat16, ONEDNN_OFF)]
QUANTITIES = {
    "output": smooth_cases.ALL,
    "gradients": smooth_cases.ALL,
    "step": smooth_cases.ALL,
    "grad": smooth_cases.PURE,
}


def measured(setup, quantity, seed):
    """(ensemble - UNITS) / loop for each tensor of each member, and the loop's error in roundings."""
    torch.manual_seed(seed)
    exercise = PrecisionRun(setup, 0, "cpu")
    answer = exercise.loop(getattr(precision, f"{quantity}_under_setting"))
    actual = leaves(getattr(exercise, f"ensemble_{quantity}")(TorchFunc()), "")
    trees = [[leaf for _, leaf in leaves(tree, "")] for tree in (*answer.values, *answer.truth, *answer.sample)]
    n = len(answer.values)
    for (_, tensor), *columns in zip(actual, *trees, strict=True):
        values, truths, samples = columns[:n], columns[n : 2 * n], columns[2 * n :]
        if not is_inexact(values[0]):
            continue
        for each, value, truth, budget in zip(
            tensor, values, truths, compute_budgets(samples, truths, values[0].dtype), strict=True
        ):
            more = max(0.0, max_error(each, truth) - UNITS * budget.unit)
            yield more / budget.loop if more else 0.0, relative_error(value, truth) / setup.rounding


def main(seeds):
    device = torch.device("cpu")
    for quantity, cases in QUANTITIES.items():
        for dtype, setting in (*REALS, *((each, NO_SETTING) for each in smooth_cases.COMPLEX), *SET):
            for case in (smooth_cases.COMPLEX[dtype],) if dtype in smooth_cases.COMPLEX else cases:
                setup = Setup(case, dtype, setting)
                if setup.unavailable_reason(device):
                    continue
                found = []
                with suppress(RuntimeError):  # what torch refuses tests/test_parity.py knows
                    found = [pair for seed in range(seeds) for pair in measured(setup, quantity, seed)]
                if not found:
                    continue
                ratios, own = (sorted(column) for column in zip(*found, strict=True))
                sys.stdout.write(
                    f"{quantity:15}{setup!s:45}{len(found):7} comparisons, 99 % {ratios[len(ratios) * 99 // 100]:.2f}, "
                    f"largest {ratios[-1]:.2f}; the loop's own {own[-1]:.2f}\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    torch.set_num_threads(1)
    precision.MAX_GRADIENT_ROUNDINGS = precision.MAX_OUTPUT_ROUNDINGS = math.inf
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]))
