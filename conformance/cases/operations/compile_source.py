"""Functions made from Python source; they are made once, because torch.compile does not trace `eval`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def compile_function(
    code: str, parameters: Iterable[str], names: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """Return a function of these parameters that evaluates the expression `code`, with `names` as its globals."""
    made: Callable[..., Any] = eval(f"lambda {', '.join(parameters)}: {code}", dict(names or {}))  # noqa: S307 - ours
    return made
