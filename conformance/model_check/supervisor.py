"""Has a request answered in a process of its own: what crashes or hangs there is named, and the rest is still asked."""

import faulthandler
import os
import re
import signal
import sys
from collections.abc import Collection, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.model_check.options import Request, UsageError
from conformance.model_check.user_code import own_line

Event = tuple[str, Any]
# A check of a large model may take minutes, and one that hangs would take for ever.
PATIENCE = 600.0
FRAME = re.compile(r'File "(.+?)", line (\d+) in (\w+)')
# Where the plain loop runs.
PLAIN = ("plain_loop.py", "_run")
# What a second child says again.
FACTS = ("environment", "model")
# After which it ends by itself.
LAST = ("finished", "mistake")


def answers(request: Request, patience: float = PATIENCE) -> Iterator[Event]:
    """The events of `answering`, each as soon as it is there, and ("end", {"status": "crash", ...}) after a crash.

    `patience`: seconds until a step that gives no sign counts as one. Raises MistakeError.
    """
    done: list[str] = []
    while True:
        again = bool(done)
        asked = None
        try:
            for name, value in _of_a_child(request, done, patience):
                if name == "begin":
                    asked = value
                    done.append(value)
                if name == "end":
                    asked = None
                if not (again and name in FACTS):
                    yield name, value
        except _DiedError as died:
            if asked is None:
                raise UsageError(f"{request.model} takes its process down: {died.answer['message']}") from died
            yield "end", died.answer
        else:
            return


class _DiedError(Exception):
    """A child that did not finish; `answer` is what its last step is to be given."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["message"])
        self.answer = answer


def _of_a_child(request: Request, done: Collection[str], patience: float) -> Iterator[Event]:
    """What a new process says until it has finished. Raises MistakeError, or _DiedError if it does not get that far."""
    context = get_context("spawn")
    with TemporaryDirectory() as folder:
        log = Path(folder) / "crash.txt"
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(theirs, request, done, str(log)))
        process.start()
        theirs.close()
        try:
            while ours.poll(patience):
                name, value = ours.recv()
                if name in LAST:
                    process.join(patience)
                if name == "mistake":
                    raise UsageError(value)
                if name == "finished":
                    return
                yield name, value
            raise _DiedError({"status": "crash", "message": f"no answer within {patience:.0f} s"})
        except EOFError:
            process.join()
            raise _DiedError(crash(process.exitcode, log)) from None
        finally:
            process.kill()
            process.join()


def crash(code: int | None, log: Path) -> dict[str, Any]:
    """The answer of a step that ended the process with this code; `log` is what faulthandler wrote."""
    code = code or 0
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    found = FRAME.findall(log.read_text(encoding="utf-8"))
    plain = any(Path(name).name == PLAIN[0] and function == PLAIN[1] for name, _, function in found)
    # faulthandler begins with the innermost frame.
    source = own_line([(name, int(line)) for name, line, _ in reversed(found)])
    message = f"the {'plain module alone' if plain else 'ensemble'} ends the process with {how}"
    return {"status": "crash", "message": message, "source": source}


def _work(connection: Connection, request: Request, done: Collection[str], log: str) -> None:
    """The child: sends what `answering` yields."""
    # What the model prints belongs to no report; nor does what torch's profiler does.
    os.dup2(sys.stderr.fileno(), 1)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    with Path(log).open("w", encoding="utf-8") as file:
        faulthandler.enable(file)
        from conformance.model_check.worker import events

        try:
            for event in events(request, done):
                connection.send(event)
            connection.send(("finished", None))
        except UsageError as error:
            connection.send(("mistake", str(error)))
        finally:
            faulthandler.disable()
