"""A call that is given as Python source is made into a function, once: torch.compile traces no source."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def compile_function(
    code: str, parameters: Iterable[str], names: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """`code` as a function of these parameters, with `names` as its globals."""
    made: Callable[..., Any] = eval(f"lambda {', '.join(parameters)}: {code}", dict(names or {}))  # noqa: S307 - ours
    return made
