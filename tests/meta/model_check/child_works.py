"""What the child process of `conformance check` may do in its stead; without torch, which takes seconds to import."""

import atexit
import os
import signal
import sys
import time

RIGHT = {"status": "right", "message": ""}
STEPS = ("one", "two", "three", "four", "five")


def hang():
    time.sleep(600)


def leave():
    os._exit(3)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def asked(done, acts, loading=None):
    """All steps, some of which do something instead of giving an answer."""
    yield "steps", STEPS
    if loading:
        loading()
    yield "environment", {}
    yield "model", {}
    for step in STEPS:
        if step not in done:
            yield "begin", step
            acts.get(step, int)()
            yield "end", RIGHT


def crashing(request, done):
    """The second of five steps takes the process down."""
    yield from asked(done, {"two": crash})


def always_crashing(request, done):
    yield from asked(done, dict.fromkeys(STEPS, leave))


def hanging_once(request, done):
    yield from asked(done, {"two": hang})


def always_hanging(request, done):
    yield from asked(done, dict.fromkeys(STEPS, hang))


def failing(request, done):
    """The second step raises what the worker does not expect."""
    yield from asked(done, {"two": lambda: 1 / 0})


def dying_between(request, done):
    """It dies after the answer of the second step."""
    for event in asked(done, {}):
        yield event
        if event[0] == "end" and len(done) == 0:
            leave()


def dying_at_exit(request, done):
    atexit.register(leave)
    yield from asked(done, {})


def talking(request, done):
    """It prints, and takes its time."""
    os.write(1, b"\x1b[31mhello\xff\n" * 200)
    yield from asked(done, {"one": lambda: time.sleep(1.5)})


def loading_once(request, done):
    """It can be loaded only once."""
    yield from asked(done, {"one": leave}, loading=leave if done else None)


def mistaken_later(request, done):
    """The second child finds a mistake in its first step."""
    if not done:
        yield from asked(done, {"one": leave})
    yield "steps", STEPS
    yield "begin", "two"
    yield "mistake", "nonsense"


def without_torch_later(request, done):
    if not done:
        yield from asked(done, {"one": leave})
    yield "cannot answer", "no torch"


def starting_once(request, done):
    if done:
        leave()
    yield from asked(done, {"one": leave})


def ending_early(request, done):
    yield "steps", STEPS
    yield "begin", "one"
    yield "end", RIGHT


def mistaken(request, done):
    """What was asked makes no sense."""
    yield "steps", STEPS
    yield "mistake", "nonsense"


def without_torch(request, done):
    yield "cannot answer", "no torch"


def leaving(request, done):
    """It leaves before torch is imported."""
    sys.exit(3)
    yield


def leaving_while_loading(request, done):
    yield from asked(done, {}, loading=leave)


def failing_while_loading(request, done):
    yield from asked(done, {}, loading=lambda: 1 / 0)


def hanging_while_loading(request, done):
    yield from asked(done, {}, loading=hang)


def closing(request, done):
    """It closes all descriptors, and lives on."""
    yield from asked(done, {}, loading=lambda: (os.closerange(0, 1000), hang()))
