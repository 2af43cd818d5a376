"""Child processes of `conformance check` that end in every way; without torch, which takes seconds to import."""

import faulthandler
import os
import signal
import sys
import time
from pathlib import Path

RIGHT = {"status": "right", "message": ""}


def crashing(connection, request, done, log):
    """The second of three steps takes the process down."""
    with Path(log).open("w", encoding="utf-8") as file:
        faulthandler.enable(file)
        connection.send(("environment", {}))
        connection.send(("model", {}))
        for step in ("one", "two", "three"):
            if step in done:
                continue
            connection.send(("begin", step))
            if step == "two":
                os.kill(os.getpid(), signal.SIGSEGV)
            connection.send(("end", RIGHT))
        connection.send(("finished", None))
        faulthandler.disable()


def hanging(connection, request, done, log):
    """The first step of one hangs."""
    if done:
        connection.send(("finished", None))
        return
    connection.send(("begin", "one"))
    time.sleep(600)


def mistaken(connection, request, done, log):
    """What was asked makes no sense."""
    connection.send(("mistake", "nonsense"))


def leaving(connection, request, done, log):
    """It leaves before anything is asked."""
    Path(log).touch()
    sys.exit(3)
