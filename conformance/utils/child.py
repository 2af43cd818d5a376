"""A child process that calls a generator function, and its messages to this process."""

import os
import pickle
import secrets
import selectors
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import IO, Any, Self

from conformance.utils.child_messages import GOODBYE, PRINTED, LineReader, Message, decode
from conformance.utils.guarded_process import GuardedProcess, occupy_standard_streams

# The search path of the parent comes first: the rest is imported from where the parent has it.
BOOTSTRAP = """\
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from conformance.utils.child_main import serve
serve()"""
LONGEST_MESSAGE = 2**24  # bytes
LONGEST_LINE = 2**16  # bytes of one line of output
MOST_PRINTED = 100  # lines of output that are passed on
LONGEST_TRACE = 2**18  # bytes
SLICE = 0.1  # seconds between two looks at whether the child lives: what it started may keep the pipes open
GRACE = 5.0  # seconds for the interpreter to end after the last message
CLOSED_GRACE = 3.0  # seconds for a process to end that closed the pipe, and for a pipe to become empty at the end


class ChildDiedError(Exception):
    """A child process that did not finish.

    `exitcode`: as of `subprocess.Popen`, negative for a signal; None if the child lives on and sends nothing.
    `trace`: the Python frames that faulthandler wrote when it crashed, the innermost one first; empty if none.
    """

    def __init__(self, exitcode: int | None, trace: str = "") -> None:
        super().__init__(f"exit code {exitcode}")
        self.exitcode = exitcode
        self.trace = trace


class Child:
    """A child process, as a context manager that leaves nothing of it.

    `function(*args)` is pickled; the items that it yields are JSON data. `contain`: what the child prints comes as
    messages instead of going to standard error, and its temporary files are removed at its end.
    """

    def __init__(self, function: Callable[..., Iterator[Any]], args: tuple[Any, ...], *, contain: bool = False) -> None:
        # Pickled first: what can't be pickled starts nothing.
        path, call = pickle.dumps(sys.path), pickle.dumps((function, args))
        self._secret = secrets.token_hex()
        self._messages: deque[Message] = deque()
        self._printed = 0
        self._open = True
        self._give_up_at: float | None = None
        occupy_standard_streams()
        with ExitStack() as stack, ExitStack() as theirs:
            self._log = stack.enter_context(_scratch_file())
            self._selector = stack.enter_context(selectors.DefaultSelector())
            self._incoming, messages = self._pipe(
                stack, theirs, partial(self._take_messages, LineReader(LONGEST_MESSAGE))
            )
            output = 2
            if contain:
                _, output = self._pipe(stack, theirs, partial(self._take_output, LineReader(LONGEST_LINE)))
            self._process = stack.enter_context(
                closing(GuardedProcess(BOOTSTRAP, (messages, self._log.fileno()), output, scratch=contain))
            )
            theirs.close()
            self._process.give(path + pickle.dumps((messages, self._log.fileno(), self._secret, call)))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def receive(self, seconds: float | None) -> Message:
        """Return the next message. Raises TimeoutError after so many seconds, and ChildDiedError."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._messages:
            if not self._open:
                raise ChildDiedError(self._process.exit_code, self._trace())
            left = SLICE if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._read(min(SLICE, left))
        return self._messages.popleft()

    def await_end(self) -> None:
        """Wait at most `GRACE` seconds for the interpreter to end: what never ends by itself is killed later.

        Raises ChildDiedError if it dies on the way.
        """
        deadline = time.monotonic() + GRACE
        ready = False
        try:
            while True:
                ready = self.receive(deadline - time.monotonic())[0] == GOODBYE or ready
        except TimeoutError:
            return
        except ChildDiedError:
            if not ready:
                raise

    def _pipe(self, ours: ExitStack, theirs: ExitStack, take: Callable[[bytes], None]) -> tuple[int, int]:
        """Make a pipe whose bytes go to `take`, and return its two ends."""
        read, write = os.pipe()
        ours.callback(os.close, read)
        theirs.callback(os.close, write)
        self._selector.register(read, selectors.EVENT_READ, take)
        return read, write

    def _read(self, seconds: float) -> None:
        """Wait for bytes and take them; notice that there will be no more."""
        # Looked at first, so that what the child sent before its end is not missed.
        ended = self._process.exit_code is not None
        ready = self._selector.select(0 if ended else seconds)
        for key, _ in ready:
            data = os.read(key.fd, 2**16)
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fd)
        now = time.monotonic()
        if self._give_up_at is None and (ended or self._closed):
            self._give_up_at = now + CLOSED_GRACE
        over = self._give_up_at is not None and now > self._give_up_at
        self._open = not (over or (ended and not ready))

    @property
    def _closed(self) -> bool:
        """True if the child has closed the pipe of its messages."""
        return self._incoming not in self._selector.get_map()

    def _take_messages(self, reader: LineReader, data: bytes) -> None:
        found = (decode(self._secret, line) for line in reader.feed(data))
        self._messages.extend(message for message in found if message)

    def _take_output(self, reader: LineReader, data: bytes) -> None:
        for line in reader.feed(data):
            self._printed += 1
            if self._printed <= MOST_PRINTED:
                self._messages.append((PRINTED, line.decode("utf-8", errors="backslashreplace")))
            elif self._printed == MOST_PRINTED + 1:
                self._messages.append((PRINTED, "more, which is not shown"))

    def _trace(self) -> str:
        self._log.seek(0)
        return self._log.read(LONGEST_TRACE).decode("utf-8", errors="replace")


def _scratch_file() -> IO[bytes]:
    """Return a file without a name, which nothing has to remove; where no folder can hold it, it keeps nothing."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("w+b")
