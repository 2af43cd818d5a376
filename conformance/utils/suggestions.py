"""Messages about unknown names: the valid ones, and the nearest of them."""

from collections.abc import Iterable
from difflib import get_close_matches

MAX_CHOICES = 15  # names that a message lists


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return "; did you mean 'core'?" with the choice nearest to `name`, or "" if none is near."""
    near = get_close_matches(name, list(choices), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def invalid_choice(name: str, choices: Iterable[str]) -> str:
    """Return a message as argparse words it: "invalid choice 'quick' (choose from core, full, certify)".

    The nearest choice is offered. Long lists of choices are left out.
    """
    valid = list(choices)
    listed = f" (choose from {', '.join(valid)})" if len(valid) <= MAX_CHOICES else ""
    return f"invalid choice {name!r}{listed}{did_you_mean(name, valid)}"
