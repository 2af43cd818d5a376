"""The course of a check over all of its child processes: what is asked, for how long, and when it ends."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.model_check.options import CannotAnswerError, Request, UsageError

Event = tuple[str, Any]
# Seconds for the import of torch, which a slow disk makes long, if --timeout is not longer.
IMPORT_TIMEOUT = 120.0
# After a hang, each step gets this part of the time, but at least so many seconds.
PART, LEAST = 0.1, 1.0
# So many steps without an answer end the check: hangs in all, crashes in a row.
MOST_HANGS, MOST_CRASHES = 2, 3
# What is waited for besides the steps; EXIT also has a line of its own if the process does not survive it.
TORCH, MODEL, NEXT, EXIT = "torch", "the model", "the next step", "exit"


class Course:
    """The state of a check. `phase`: the step that is asked, or what else is waited for."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.steps: list[str] = []
        self.done: list[str] = []
        self.phase = TORCH
        self.over: str | None = None  # the reason why nothing more is asked
        self._finished = self._again = False
        self._hangs = self._crashes = 0
        self._load_begun = self._load_seconds = 0.0

    @property
    def goes_on(self) -> bool:
        """True if another child is needed."""
        return not self._finished and self.over is None

    @property
    def patience(self) -> float:
        """Seconds for the current phase."""
        timeout = self.request.timeout
        if self.phase == TORCH:
            return max(IMPORT_TIMEOUT, timeout)
        if not self._hangs:
            return timeout
        least = max(LEAST, PART * timeout)
        return least + 2 * self._load_seconds if self.phase == MODEL else least

    def start_child(self) -> None:
        """Note that a new child starts."""
        self.phase = TORCH
        self._again = bool(self.done)

    def take(self, name: str, value: Any) -> Iterator[Event]:
        """Take an event of the child, and yield it unless it is known already."""
        match name:
            case "cannot answer" if not self._again:
                raise CannotAnswerError(value)
            case "cannot answer" | "mistake":
                yield from self._reject(value)
            case "steps":
                self.steps = value
                self.phase, self._load_begun = MODEL, time.monotonic()
            case "begin":
                if not self.done:
                    self._load_seconds = time.monotonic() - self._load_begun
                self.phase = value
                self.done.append(value)
                yield name, value
            case "end":
                self.phase = NEXT
                self._crashes = 0
                yield name, value
            case _ if not self._again:
                yield name, value

    def fail(self, answer: Mapping[str, Any], how: str, *, hung: bool = False) -> Iterator[Event]:
        """Note that the child failed, and yield the end of the step. `how`: the rest of a sentence about the model."""
        self._hangs += hung
        self._crashes += 1
        if self._hangs >= MOST_HANGS:
            self.over = "two steps before gave no answer"
        elif self._crashes >= MOST_CRASHES:
            self.over = "three steps in a row ended the process"
        if self.phase == TORCH:
            if not self._again:
                raise CannotAnswerError(f"the import of torch and of the checks {how}")
            self.over = f"a new process {how}"
        elif self.phase == MODEL:
            yield from self._reject(f"{self.request.model}: loading or calling it {how}")
        elif self.phase in self.steps:
            yield "end", answer
        elif len(self.done) == len(self.steps):
            self._finished = True
            yield "begin", EXIT
            yield "end", answer

    def finish(self) -> None:
        """Note that the child came to its end."""
        self._finished = True

    def close(self) -> Iterator[Event]:
        """Yield an end for each step that was not asked."""
        for step in self.steps:
            if step not in self.done:
                yield "begin", step
                yield "end", {"status": "not asked", "message": self.over or "the process ended before"}

    def _reject(self, reason: str) -> Iterator[Event]:
        """Raise UsageError; but if the model was loaded before, only end the check and the step that is asked."""
        if not self._again:
            raise UsageError(reason)
        self.over = f"it was not loaded again: {reason}"
        if self.phase in self.steps:
            yield "end", {"status": "not asked", "message": self.over}
