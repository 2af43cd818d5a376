"""The location of a failure in a model: the operation, the module, and the line of the user's code."""

import re
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch.utils.checkpoint
from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

from conformance.model_check.user_code import user_code_line
from conformance.utils.text import text_of, type_name

ATEN_NAME = re.compile(r"aten::\w+")
BACKWARD_NODE = re.compile(r"Error detected in (\w+)")
FRAME = re.compile(r'File "(.+?)", line (\d{1,9})')


@dataclass(frozen=True)
class FailureLocation:
    """The location of a failure.

    `operation`: its name in torch; `module`: its path in the model, with its class; `source`: file:line: code.
    """

    operation: str | None
    module: str | None
    source: str | None


def locate_failure(error: Exception, again: Callable[[], Any]) -> FailureLocation:
    """Return the location of `error`; `again` repeats the failing call under observation."""
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    with warnings.catch_warnings(record=True) as caught, suppress(BaseException):
        warnings.simplefilter("always")
        with torch.autograd.set_detect_anomaly(True, check_nan=False):
            again()
    # In a separate call, as some functions of torch take another path under a TorchFunctionMode.
    with _FunctionWatch() as watch, suppress(BaseException):
        again()
    said = "".join(text_of(warning.message) for warning in caught)
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(cause.__traceback__)]
    # The cause of a failure in backward is a line of forward, which anomaly mode names in a warning.
    frames += [(name, int(line)) for name, line in FRAME.findall(said)]
    node = BACKWARD_NODE.search(said)
    named = ATEN_NAME.search(text_of(cause))
    function = _function_name(cause.__traceback__)
    operation = function or (named[0] if named else node[1] if node else watch.failed)
    return FailureLocation(operation, _failing_module(cause.__traceback__), user_code_line(frames))


def _function_name(tb: TracebackType | None) -> str | None:
    """Return torch.utils.checkpoint or the class of the innermost autograd.Function that was being applied, or None."""
    if any(
        Path(frame.f_code.co_filename) == Path(torch.utils.checkpoint.__file__) for frame, _ in traceback.walk_tb(tb)
    ):
        return "torch.utils.checkpoint"
    applied = [frame.f_locals.get("cls") for frame, _ in traceback.walk_tb(tb) if frame.f_code.co_name == "apply"]
    names = [each.__name__ for each in applied if isinstance(each, type) and issubclass(each, torch.autograd.Function)]
    return text_of(names[-1]) if names else None


class _FunctionWatch(TorchFunctionMode):
    """A mode that records the name of the first torch function that raises."""

    failed: str | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        try:
            return func(*args, **(kwargs or {}))
        except Exception:
            self.failed = self.failed or resolve_name(func)
            raise


def _failing_module(tb: TracebackType | None) -> str | None:
    """Return the innermost module that was being called, by its path in the outermost one."""
    forwards = [frame for frame, _ in traceback.walk_tb(tb) if frame.f_code.co_name == "forward"]
    owners = [frame.f_locals.get(name) for frame in forwards for name in frame.f_code.co_varnames[:1]]
    return name_module([each for each in owners if isinstance(each, nn.Module)])


def name_module(called: Sequence[nn.Module]) -> str | None:
    """Return the path of the last module in the first one, with its class; None for no modules."""
    if not called:
        return None
    names = {id(module): name for name, module in called[0].named_modules()}
    innermost = called[-1]
    kind = type_name(innermost)
    name = names.get(id(innermost))
    return f"{name} ({kind})" if name else kind
