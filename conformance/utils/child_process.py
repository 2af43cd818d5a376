"""Child processes: a function that may crash or hang runs where it can take nothing down but itself."""

import faulthandler
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Kinds of message that a child sends.
ITEM, ERROR, FINISHED = "item", "error", "finished"


class ChildDiedError(Exception):
    """A child process that did not finish.

    `exitcode`: as of `multiprocessing.Process`, negative for a signal; None if the child gave no sign in time.
    `trace`: the Python frames that faulthandler wrote when it crashed, the innermost one first; empty if none.
    """

    def __init__(self, exitcode: int | None, trace: str = "") -> None:
        super().__init__(f"exit code {exitcode}")
        self.exitcode = exitcode
        self.trace = trace


class ChildError(Exception):
    """An exception that the function raised in the child process, as ``Type: message``."""


def iterate_in_child(
    function: Callable[..., Iterator[Any]], *args: Any, patience: float | None = None
) -> Iterator[Any]:
    """Call a generator function in a new interpreter, and yield each item as soon as the child sends it.

    `function`, `args` and the items are pickled. `patience`: seconds to wait for the next item; None waits for ever.
    Standard output of the child goes to its standard error. Raises ChildError and ChildDiedError.
    """
    context = get_context("spawn")
    with TemporaryDirectory() as folder:
        log = Path(folder) / "crash.txt"
        ours, theirs = context.Pipe(duplex=False)
        # Pickled here: multiprocessing's own pickler would pass tensors on through shared memory.
        process = context.Process(target=_serve, args=(theirs, pickle.dumps((function, args)), str(log)))
        process.start()
        theirs.close()
        try:
            while ours.poll(patience):
                kind, value = ours.recv()
                if kind != ITEM:
                    process.join(patience)
                if kind == ERROR:
                    raise ChildError(value)
                if kind == FINISHED:
                    return
                yield value
            raise ChildDiedError(None)
        except EOFError:
            process.join()
            trace = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            raise ChildDiedError(process.exitcode, trace) from None
        finally:
            process.kill()
            process.join()


def run_in_child(function: Callable[..., None], *args: Any) -> None:
    """Call `function` in a new interpreter; it and its arguments are pickled.

    Raises AssertionError if the child does not end well, be it by an exception or by a crash.
    """
    try:
        list(iterate_in_child(_call, function, args))
    except ChildError as error:
        raise AssertionError(f"in a child process: {error}") from error
    except ChildDiedError as died:
        raise AssertionError(f"in a child process, which ended with {died.exitcode}") from died


def _call(function: Callable[..., None], args: tuple[Any, ...]) -> Iterator[Any]:
    function(*args)
    yield from ()


def _serve(connection: Connection, call: bytes, log: str) -> None:
    """Run in the child: send each item of the generator, and then how it ended."""
    os.dup2(sys.stderr.fileno(), 1)
    with Path(log).open("w", encoding="utf-8") as file:
        faulthandler.enable(file)
        try:
            function, args = pickle.loads(call)  # noqa: S301 - from the process that started this one
            for item in function(*args):
                connection.send((ITEM, item))
        except Exception as error:  # noqa: BLE001 - the parent is told of any
            connection.send((ERROR, f"{type(error).__name__}: {error}"))
        else:
            connection.send((FINISHED, None))
        finally:
            faulthandler.disable()
