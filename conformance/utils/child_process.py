"""Child processes: a function that may crash or hang runs where it can take nothing down but itself.

No process that it starts outlives it: see `guardian`. Only for POSIX.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from conformance.utils.child import Child, ChildDiedError
from conformance.utils.child_messages import DONE, ERROR, ITEM


class ChildError(Exception):
    """An exception that the function raised in the child process, as ``Type: message``."""


def iterate_in_child(
    function: Callable[..., Iterator[Any]], *args: Any, patience: float | None = None
) -> Iterator[Any]:
    """Call a generator function in a new interpreter, and yield each item as soon as the child sends it.

    `function` and `args` are pickled; the items are JSON data. `patience`: seconds to wait for the next item; None
    waits for ever. Standard output of the child goes to its standard error. Raises ChildError and ChildDiedError.
    """
    with Child(function, args) as child:
        while True:
            try:
                kind, value = child.receive(patience)
            except TimeoutError:
                raise ChildDiedError(None) from None
            if kind == ITEM:
                yield value
            if kind == ERROR:
                with suppress(ChildDiedError):
                    child.await_end()
                raise ChildError(value)
            if kind == DONE:
                child.await_end()
                return


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
