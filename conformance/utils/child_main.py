"""The child's side of a child process: it calls a generator function and sends each item as a message."""

import atexit
import faulthandler
import os
import pickle
import sys
from typing import Any

from conformance.utils.child_messages import DONE, ERROR, GOODBYE, ITEM, encode
from conformance.utils.text import describe_error

# Kept from before the model is imported, which may replace them.
_write, _getpid, _exit = os.write, os.getpid, os._exit


class Sender:
    """The pipe to the parent. `handle`: its file descriptor; `secret`: the sign of a genuine message."""

    def __init__(self, handle: int, secret: str) -> None:
        self._handle = handle
        self._secret = secret
        self._home = _getpid()

    def send(self, kind: str, value: Any = None) -> None:
        """Send a message. A copy of the process that a model made by a fork ends here: one of them answers."""
        if _getpid() != self._home:
            _exit(0)
        data = memoryview(encode(self._secret, kind, value))
        while data:
            data = data[_write(self._handle, data) :]


def serve() -> None:
    """Read the call from standard input, make it, and send each item and how it ended."""
    handle, log, secret, call = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    # Code that reads standard input finds its end.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for each in (nothing, handle, log):
        os.set_inheritable(each, False)
    faulthandler.enable(log)
    sender = Sender(handle, secret)
    # The first to be registered is the last to be called: nothing that the function registers comes after it.
    atexit.register(sender.send, GOODBYE)
    try:
        function, args = pickle.loads(call)  # noqa: S301 - likewise
        for item in function(*args):
            sender.send(ITEM, item)
    except Exception as error:  # noqa: BLE001 - the parent is told of any
        sender.send(ERROR, describe_error(error))
    else:
        sender.send(DONE)
