"""The function that the child process of a check calls, importable without torch."""

import importlib
import os
import warnings
from collections.abc import Collection, Iterator
from typing import Any

from conformance.model_check.options import CannotAnswerError, Request, UsageError
from conformance.utils.text import describe_error


def work(request: Request, done: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Yield the names of all steps, what `worker` yields, and the error that the supervisor has to raise."""
    # Silence torch's profiler, whose output would mix with the report.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    # The checks need no NumPy, and a torch without it says so on import.
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    try:
        importlib.import_module("torch")
    except BaseException as error:  # noqa: BLE001 - the import of a broken build may raise any error
        yield "cannot answer", f"torch does not import: {describe_error(error)}"
        return
    from conformance.model_check.worker import run_steps

    yield "steps", request.steps
    try:
        yield from run_steps(request, done)
    except UsageError as error:
        yield "mistake", str(error)
    except CannotAnswerError as error:
        yield "cannot answer", str(error)
