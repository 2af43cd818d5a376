"""The steps of a check by name, without torch: which there are, and which are asked."""

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

OWN_MINIBATCH = "own_minibatch"
FORWARDS = (OWN_MINIBATCH, "shared_minibatch")
CHECKS = (
    *FORWARDS,
    "backward",
    "grad",
    "forward_mode",
    "per_sample",
    "buffers",
    "randomness",
    "restored",
    "order",
    "single",
    "modes",
    "isolation",
    "out_of_range",
    "meta_base",
)
# The form in which the model is checked, and checks beyond those of the chapter `modules`.
CONVERSION = "conversion"
OWN_MODEL_CHECKS = ("own_dtype", "one_base", "second_call", "leftovers", "chunks", "other_stack", "base_alone")
COSTS = ("speed_forward", "speed_backward")
SNIPPET = "snippet"
STEPS = (CONVERSION, *CHECKS, *OWN_MODEL_CHECKS, *COSTS)
# Checks of derivatives, which torch.no_grad would leave without an answer.
DERIVATIVES = ("backward", "grad", "forward_mode", "per_sample")
# Checks of outputs and of the gradients that backward gives.
HALVES = ("order", "single", "isolation")


def choose_steps(only: Sequence[str], skip: Sequence[str], needed: Collection[str] = STEPS) -> tuple[str, ...]:
    """Return the steps to ask: those that match a pattern in `only`, if there is one, and none in `skip`.

    Without `only`, they are those in `needed`.
    """
    chosen = [step for step in STEPS if (_matches(step, only) if only else step in needed)]
    return tuple(step for step in chosen if not _matches(step, skip))


def unmatched(patterns: Iterable[str]) -> list[str]:
    """Return the patterns that match no step."""
    return [pattern for pattern in patterns if not any(fnmatchcase(step, pattern) for step in STEPS)]


def _matches(step: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(step, pattern) for pattern in patterns)
