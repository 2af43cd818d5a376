"""A script of a failed test: the test's own source with all that it uses, so that it needs torch alone."""

import builtins
import inspect
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import torch

from conformance.diagnosis.bundle import Bundle, top_level
from conformance.diagnosis.call_source import NoSourceError
from conformance.diagnosis.execution import run_here
from conformance.diagnosis.known_reproducers import SHOWN, run_reproducer
from conformance.diagnosis.value_source import Values
from conformance.numerics import plain_loop
from conformance.utils.text import observed_message, one_line, text_of, type_name

LONGEST_MESSAGE = 110  # characters
# The chapter on modules tells a refusal as the message of an assertion, and the script lets it through.
REFUSAL = re.compile(r"refused(?: unclearly)?: (\w+): ")
IGNORED = {"record_property": "lambda *_: None"}  # fixtures that no result depends on
TEMPLATE = """\
'''The test at the end: exits with 1 if it fails as seen on torch {version}, with 0 if it passes, otherwise with 2.'''
# Seen: {message}

{imports}


{definitions}


{statements}
try:
    {call}
{unclear}except {error} as error:
    print("{error}:", error)
    raise SystemExit(1)
except Exception as error:
    print("can't tell:", type(error).__name__, error)
    raise SystemExit(2)
"""
UNCLEAR = """\
except {name} as error:
    print("can't tell:", error)
    raise SystemExit(2)
"""


def script_of_test(
    test: FunctionType, fixtures: Mapping[str, Any], error: BaseException, seed: int, *, may_crash: bool
) -> str:
    """Return a script in which the test fails with the same type of exception; "" if there is none.

    `fixtures`: the test's arguments by name. The script was run, in a process of its own if the test `may_crash`.
    """
    try:
        text = write_script(test, fixtures, error, seed)
        return text if (_run_alone if may_crash else run_here)(text) == SHOWN else ""
    except Exception:  # noqa: BLE001 - an odd value or source costs the script, and not the report of the failure
        return ""


def write_script(test: FunctionType, fixtures: Mapping[str, Any], error: BaseException, seed: int) -> str:
    """Return the script without running it; NoSourceError if something has no source that needs torch alone."""
    module = sys.modules.get(test.__module__)
    if module is None or test.__name__ not in top_level(module):
        raise NoSourceError("the test stands in no file")
    bundle = Bundle()
    bundle.use_module("torch")
    values = Values(bundle, module)
    name = bundle.require(module, test.__name__)
    parameters = inspect.signature(test).parameters
    given = {each: IGNORED.get(each) or values.expression(fixtures[each]) for each in parameters}
    if isinstance(error, Warning):
        bundle.use_module("warnings")
        values.statements.append('warnings.simplefilter("error")')
    definitions = bundle.definitions()
    unclear = bundle.names.get((plain_loop.__name__, plain_loop.PlainLoopError.__name__))
    return TEMPLATE.format(
        version=torch.__version__,
        message=one_line(observed_message(error), LONGEST_MESSAGE),
        imports="\n".join(sorted(bundle.imports)),
        definitions="\n\n\n".join(definitions),
        statements="\n".join([*values.statements, f"torch.manual_seed({seed})"]),
        call=f"{name}({', '.join(f'{each}={source}' for each, source in given.items())})",
        unclear=UNCLEAR.format(name=unclear) if unclear and not isinstance(error, plain_loop.PlainLoopError) else "",
        error=_builtin_type(error),
    )


def _builtin_type(error: BaseException) -> str:
    """Return the builtin type that an exception is of, as the script raises it; what pytest raises is an assertion."""
    refusal = REFUSAL.match(text_of(error)) if isinstance(error, AssertionError) else None
    told = getattr(builtins, refusal[1], None) if refusal else None
    kind = told if isinstance(told, type) else type(error)
    builtin = next(each for each in kind.__mro__ if each.__module__ == "builtins")
    return type_name(builtin if issubclass(builtin, Exception) and builtin is not Exception else AssertionError)


def _run_alone(text: str) -> int:
    """Return the exit code of a script in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "script.py")
        path.write_text(text, encoding="utf-8")
        return run_reproducer(path).code
