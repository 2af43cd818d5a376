"""The supervisor of a check: a child process does the work, so that a crash or a hang does not end the check."""

import os
import re
import signal
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from conformance.model_check.options import Request, UsageError
from conformance.model_check.user_code import user_code_line
from conformance.utils.child_process import ChildDiedError, iterate_in_child

Event = tuple[str, Any]
# Seconds for one step: a check of a large model may take minutes.
STEP_TIMEOUT = 600.0
FRAME = re.compile(r'File "(.+?)", line (\d+) in (\w+)')
# The file and function that run the plain loop.
PLAIN = ("plain_loop.py", "_run")
# Events that a restarted child sends again.
FACTS = ("environment", "model")


def supervise(request: Request, patience: float = STEP_TIMEOUT) -> Iterator[Event]:
    """Yield the events of `worker` as they arrive, and ("end", {"status": "crash", ...}) for a step that crashes.

    After a crash a new child continues with the next step. `patience`: seconds after which a silent step counts as a
    crash. Raises UsageError.
    """
    done: list[str] = []
    while True:
        again = bool(done)
        asked = None
        try:
            events = iterate_in_child(_work, request, done, patience=patience)
            for name, value in events:
                if name == "mistake":
                    list(events)  # the child ends by itself
                    raise UsageError(value)
                if name == "begin":
                    asked = value
                    done.append(value)
                if name == "end":
                    asked = None
                if not (again and name in FACTS):
                    yield name, value
        except ChildDiedError as died:
            answer = crash_result(died, patience)
            if asked is None:
                raise UsageError(f"{request.model} crashes before the first check: {answer['message']}") from died
            yield "end", answer
        else:
            return


def crash_result(died: ChildDiedError, patience: float = STEP_TIMEOUT) -> dict[str, Any]:
    """Return the result of the step during which the child process died."""
    if died.exitcode is None:
        return {"status": "crash", "message": f"no answer within {patience:.0f} s"}
    how = signal.Signals(-died.exitcode).name if died.exitcode < 0 else f"exit code {died.exitcode}"
    found = FRAME.findall(died.trace)
    plain = any(Path(name).name == PLAIN[0] and function == PLAIN[1] for name, _, function in found)
    # faulthandler lists the innermost frame first.
    source = user_code_line([(name, int(line)) for name, line, _ in reversed(found)])
    message = f"the {'plain module' if plain else 'ensemble'} kills the process with {how}"
    return {"status": "crash", "message": message, "source": source}


def _work(request: Request, done: Collection[str]) -> Iterator[Event]:
    """Run in the child: yield what `worker` yields."""
    # Silence torch's profiler, whose output would mix with the report.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from conformance.model_check.worker import run_steps

    try:
        yield from run_steps(request, done)
    except UsageError as error:
        yield "mistake", str(error)
