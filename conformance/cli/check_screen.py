"""The progress of ``conformance check``: plain lines, or on a terminal a live list in colours."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, Protocol, Self, TextIO, cast

from conformance.cli.output import OutputError, print_lines, print_text
from conformance.model_check import terminal
from conformance.utils.files import error_reason
from conformance.utils.text import escape_unprintable, one_line

COLOURS = {
    "right": "green",
    "yes": "green",
    "faster": "green",
    "wrong": "bold red",
    "crash": "bold red",
    "no": "bold red",
    "refused": "yellow",
    "refused unclearly": "yellow",
    "slow": "yellow",
    "not asked": "yellow",
    "not applicable": "bright_black",
    "not measured": "bright_black",
}
REFRESHES = 4  # in a second


class Screen(Protocol):
    """The progress of a check. `width`: characters of a line."""

    width: int

    def show(self, text: str) -> None:
        """Show lines that are no answer."""
        ...

    def begin(self, step: str) -> None:
        """Show that a step is asked."""
        ...

    def note(self, text: str) -> None:
        """Show what is waited for."""
        ...

    def printed(self, line: str) -> None:
        """Show a line that the model prints."""
        ...

    def end(self, answer: str, status: str) -> None:
        """Show the answer of the step."""
        ...


@contextmanager
def open_screen() -> Iterator[Screen]:
    """Yield the screen for standard output: a live one if it is a terminal that can move its cursor."""
    if not _is_terminal(sys.stdout):
        screen = PlainScreen()
        try:
            yield screen
        finally:
            screen.interrupt_line()
        return
    # The import takes a tenth of a second.
    from rich.console import Console

    console = Console(file=cast("TextIO", _CheckedStream(sys.stdout)), markup=False, highlight=False, emoji=False)
    with LiveScreen(console) as live:
        yield live


def _is_terminal(stream: Any) -> bool:
    try:
        return stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


class _CheckedStream:
    """Standard output for rich. What can't be written is dropped, and remembered for the thread that may raise."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        return self._attempt(self._stream.write, text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, function: Any, *args: Any) -> int:
        try:
            function(*args)
        except OSError as error:
            self.lost = error
        return len(args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class PlainScreen:
    """Lines that a person or a program reads. `step`: the step whose answer is waited for."""

    width = terminal.WIDTH

    def __init__(self) -> None:
        self.step = ""
        self._started = False  # whether the line of the step has its beginning already

    def show(self, text: str) -> None:
        print_lines(text.split("\n"))

    def begin(self, step: str) -> None:
        self.step, self._started = step, True
        print_text(f"{escape_unprintable(step):{terminal.NAME}}")

    def note(self, text: str) -> None:
        self.interrupt_line()
        self.show(f"{'':{terminal.NAME}}{text}")

    def printed(self, line: str) -> None:
        self.interrupt_line()
        # A report in a file holds nothing of it.
        with redirect_stdout(sys.stderr), suppress(OutputError):
            self.show(f"the model prints: {one_line(line)}")

    def interrupt_line(self) -> None:
        """End the line of the step, for lines of something else; the answer gets a line of its own later."""
        if self._started:
            print_text("\n")
        self._started = False

    def end(self, answer: str, status: str) -> None:  # noqa: ARG002 - a status is a colour, and here there are none
        if not self._started:
            self.begin(self.step)
        self._started = False
        self.show(answer)


class LiveScreen:
    """A list that grows, above a line that says each quarter of a second what is asked and for how long."""

    def __init__(self, console: Any) -> None:
        from rich.live import Live

        self._console = console
        self.width = min(console.width, terminal.WIDTH)
        self._step, self._done, self._begun = "", 0, time.monotonic()
        self._live = Live(
            get_renderable=self.progress,
            console=console,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, text: str) -> None:
        for line in text.split("\n"):
            name, rest = line[: terminal.NAME], line[terminal.NAME :]
            verdict = line.startswith("VERDICT: ")
            self._print((line, "bold") if verdict else (name, "bold"), ("" if verdict else rest, _colour_of(rest)))

    def begin(self, step: str) -> None:
        self._step, self._begun = step, time.monotonic()

    def note(self, text: str) -> None:
        """The line of progress says it already."""

    def printed(self, line: str) -> None:
        self._print((f"the model prints: {one_line(line)}", "dim"))

    def end(self, answer: str, status: str) -> None:
        first, *rest = answer.split("\n")
        self._print((f"{self._step:{terminal.NAME}}", "bold"), (first, COLOURS.get(status, "")))
        for line in rest:
            self._print((line, ""))
        self._step, self._done, self._begun = "", self._done + 1, time.monotonic()

    def _print(self, *parts: tuple[str, str]) -> None:
        from rich.text import Text

        text = Text.assemble(*((escape_unprintable(said), style) for said, style in parts))
        self._console.print(text, soft_wrap=True)
        if self._console.file.lost:
            raise OutputError(f"can't write to standard output: {error_reason(self._console.file.lost)}")

    def progress(self) -> Any:
        """Return the line below the list."""
        from rich.text import Text

        seconds = time.monotonic() - self._begun
        step = escape_unprintable(self._step) or ("between two steps" if self._done else "starting")
        said = f"{step:{terminal.NAME}}{seconds:5.1f} s   {self._done} answered"
        return Text(said, style="cyan", no_wrap=True, overflow="ellipsis")


def _colour_of(text: str) -> str:
    """Return the colour of a text that begins with an answer, such as ``yes`` or ``no: it is refused``."""
    return COLOURS.get(text.partition(":")[0], "")
