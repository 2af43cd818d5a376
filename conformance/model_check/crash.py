"""The result of a step in which the child process died."""

import re
import signal
from pathlib import Path
from typing import Any

from conformance.model_check.user_code import user_code_line
from conformance.utils.child import ChildDiedError

FRAME = re.compile(r'File "(.+?)", line (\d{1,9}) in (\w+)')
# The file and function that run the plain loop.
PLAIN = ("plain_loop.py", "run_members")
SIGNALS = {each.value: each.name for each in signal.Signals}


def crash_result(died: ChildDiedError) -> dict[str, Any]:
    """Return the result of the step during which the child process died."""
    found = FRAME.findall(died.trace)
    plain = any(Path(name).name == PLAIN[0] and function == PLAIN[1] for name, _, function in found)
    # faulthandler lists the innermost frame first.
    source = user_code_line([(name, int(line)) for name, line, _ in reversed(found)])
    # Only a fatal signal leaves a trace.
    subject = "the plain module" if plain else "the ensemble" if found else "the model"
    return {"status": "crash", "message": f"{subject} {describe_end(died)}", "source": source}


def describe_end(died: ChildDiedError) -> str:
    """Return how the child died, as the rest of a sentence."""
    code = died.exitcode
    if code is None:
        return "closes the pipe through which its process sends results"
    if code < 0:
        return f"kills the process with {SIGNALS.get(-code, f'signal {-code}')}"
    return f"ends the process with exit code {code}"
