"""Child processes of `conformance check` that end in every way; without torch, which takes seconds to import."""

import os
import signal
import sys
import time

RIGHT = {"status": "right", "message": ""}


def crashing(request, done):
    """The second of three steps takes the process down."""
    yield "environment", {}
    yield "model", {}
    for step in ("one", "two", "three"):
        if step in done:
            continue
        yield "begin", step
        if step == "two":
            os.kill(os.getpid(), signal.SIGSEGV)
        yield "end", RIGHT


def hanging(request, done):
    """The first step of one hangs."""
    if not done:
        yield "begin", "one"
        time.sleep(600)


def mistaken(request, done):
    """What was asked makes no sense."""
    yield "mistake", "nonsense"


def leaving(request, done):
    """It leaves before anything is asked."""
    sys.exit(3)
    yield
