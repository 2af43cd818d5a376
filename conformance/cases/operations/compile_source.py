"""Functions made from Python source; they are made once, because torch.compile does not trace `eval`."""

import linecache
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def compile_function(
    code: str, parameters: Iterable[str], names: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """Return a function of these parameters that evaluates the expression `code`, with `names` as its globals.

    Its source can be looked up as if it stood in a file.
    """
    source = f"lambda {', '.join(parameters)}: {code}"
    file = f"<{source}>"
    linecache.cache[file] = (len(source), None, [source], file)
    made: Callable[..., Any] = eval(compile(source, file, "eval"), dict(names or {}))  # noqa: S307 - ours
    return made
