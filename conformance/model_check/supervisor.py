"""The supervisor of a check: a child process does the work, so that a crash or a hang does not end the check."""

import time
from collections.abc import Generator, Iterator
from contextlib import suppress

from conformance.model_check.child_work import work
from conformance.model_check.course import Course, Event
from conformance.model_check.crash import crash_result, describe_end
from conformance.model_check.options import CannotAnswerError, Request
from conformance.utils.child import Child, ChildDiedError
from conformance.utils.child_messages import DONE, ERROR, GOODBYE, PRINTED, Message

# Seconds of silence before a step is said to be waited for; then twice as many, and so on.
FIRST_NOTICE = 10.0
# Events after which a child ends by itself.
LAST = ("mistake", "cannot answer")


def supervise(request: Request, notice: float = FIRST_NOTICE) -> Generator[Event, None, None]:
    """Yield the events of `worker` as they arrive, and ("end", {"status": "crash", ...}) for a step that crashes.

    After a crash a new child continues with the next step; if too many crash or hang, the others end with the status
    "not asked". More events: ("waiting", text) after `notice` seconds of silence, and ("printed", line) for what the
    model prints. Raises UsageError and CannotAnswerError.
    """
    course = Course(request)
    while course.goes_on:
        course.start_child()
        try:
            child = Child(work, (request, tuple(course.done)), contain=True)
        except OSError as error:
            raise CannotAnswerError(f"no process can be started: {error.strerror}") from error
        with child:
            yield from _follow(child, course, notice)
    yield from course.close()


def _follow(child: Child, course: Course, notice: float) -> Iterator[Event]:
    """Yield the events of one child, up to its end or the first step that it does not survive."""
    try:
        while True:
            kind, value = yield from _wait(child, course.phase, course.patience, notice)
            if kind == DONE:
                child.await_end()
                course.finish()
                return
            if kind == ERROR or value[0] in LAST:
                with suppress(ChildDiedError):
                    child.await_end()
            if kind == ERROR:
                yield from course.fail({"status": "crash", "message": value}, f"fails with {value}")
                return
            yield from course.take(*value)
            if value[0] in LAST:
                return
    except TimeoutError:
        message = f"no answer within {course.patience:g} s"
        yield from course.fail({"status": "crash", "message": message}, f"gives {message}", hung=True)
    except ChildDiedError as died:
        yield from course.fail(crash_result(died), describe_end(died))


def _wait(child: Child, phase: str, patience: float, notice: float) -> Generator[Event, None, Message]:
    """Return the next message that is no output; yield the output, and a notice at doubling intervals."""
    begun = time.monotonic()
    while True:
        try:
            kind, value = child.receive(min(notice, patience) - (time.monotonic() - begun))
        except TimeoutError:
            if notice >= patience:
                raise
            yield "waiting", f"still waiting for {phase}: {notice:g} s of at most {patience:g} s"
            notice *= 2
            continue
        if kind == PRINTED:
            yield "printed", value
        # Without another message before it, it is the beginning of a death.
        elif kind != GOODBYE:
            return kind, value
