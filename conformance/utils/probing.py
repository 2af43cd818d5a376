"""Probes of torch: questions about what it, a device or an optimizer can do here, none of which can end a run.

pytest.toml makes warnings errors. A warning during a probe is silenced, and an error is the reason that is looked for.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from conformance.utils.text import describe_error


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silence every warning of the body, such as torch's about a setting of its own that it has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def ignored_autocast_raises() -> Iterator[None]:
    """Raise the warning by which torch.autocast says that it does nothing; silence others, such as deprecations."""
    with without_warnings():
        warnings.filterwarnings("error", "(?s).*(autocast|Disabling)", UserWarning)
        yield


def ask(probe: Callable[..., str | None], *args: Any) -> str | None:
    """Return the reason that `probe(*args)` gives, or None if it gives none. A probe that raises is a reason, too."""
    with without_warnings():
        try:
            return probe(*args)
        except Exception as error:  # noqa: BLE001 - torch, and foreign code, may raise anything
            return f"the probe failed: {' '.join(describe_error(error).split())}"
