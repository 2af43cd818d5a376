"""How near does a correct build come to a false alarm? Prints the largest shares of the budget in chapter `modules`.

``ATEN_CPU_CAPABILITY=default python tests/meta/numerics/derive_shares.py 10 Norm Loss`` measures with this many seeds
the cases whose names contain one of the words, all cases without a word, and prints the largest share of each case and
check that exceeds SHOWN, the largest last. ATEN_CPU_CAPABILITY and OMP_NUM_THREADS are read when the process starts.
"""

import sys
import warnings
from collections import defaultdict

import torch

from conformance.cases.modules.catalogue import CATALOGUE
from conformance.cases.modules.refusals import crash_reason
from conformance.checks.model_checks import CHECKS
from conformance.checks.outcome import run_check
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.budget import recorded_shares

# A correct build stays below half of its budget.
SHOWN = 0.25
# A share that stands for a difference that no budget allows, as in an output that is not finite.
NO_BUDGET = 1e9


def case_named(name):
    """Return the case of the chapter with this name."""
    return next(case for case in CATALOGUE if case.name == name)


def shares(case, seed, checks=tuple(CHECKS)):
    """Yield the name of each check with the largest share of its budget that the case uses with this seed."""
    torch.manual_seed(seed)
    for name in checks:
        if crash_reason(name, case.name):
            continue
        with recorded_shares() as found:
            run_check(CHECKS[name], case, TorchFunc(), torch.device("cpu"))
        yield name, max((share for share in found if share < NO_BUDGET), default=0.0)


def main(seeds, words):
    largest = defaultdict(lambda: (0.0, 0))
    for case in CATALOGUE:
        if words and not any(word in case.name for word in words):
            continue
        for seed in range(seeds):
            for check, share in shares(case, seed):
                largest[case.name, check] = max(largest[case.name, check], (share, seed))
    capability, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    sys.stdout.write(f"{len(largest)} cases and checks, seeds 0 to {seeds - 1}, {capability}, {threads} threads\n")
    for (case, check), (share, seed) in sorted(largest.items(), key=lambda item: item[1]):
        if share > SHOWN:
            sys.stdout.write(f"{share:.3f}  {case} {check} seed {seed}\n")
    share, seed = max(largest.values())
    sys.stdout.write(f"largest share {share:.3f}\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]), sys.argv[2:])
