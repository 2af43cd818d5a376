"""Is the progress of a check live on a terminal, plain elsewhere, and safe on both?"""

import io
import re
from contextlib import redirect_stdout

import pytest
from check_questions import MODEL, ask

from conformance.cli import check as check_command
from conformance.cli import check_screen
from conformance.cli.check_screen import PlainScreen, open_screen
from conformance.cli.output import OutputError

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard output as a terminal of 60 characters."""
    stream = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    return stream


def run_steps(stream):
    """Show a step with its answer, a line of the model's, and the verdict; return the width."""
    with redirect_stdout(stream), open_screen() as screen:
        screen.show("on                a machine")
        screen.begin("grad")
        screen.note("still waiting")
        screen.printed("[red]hello\x1b[2J")
        screen.end("WRONG: [bold]by 3[/bold]\n   line: \x1b[31mx", "wrong")
        screen.show("predict           yes\nVERDICT: WRONG: grad")
        return screen.width


def test_a_terminal_gets_a_live_list_in_its_width(terminal):
    width = run_steps(terminal)

    shown = terminal.getvalue()
    plain = ESCAPES.sub("", shown)
    assert width == 60
    assert re.search(r"starting +0\.0 s   0 answered", plain)
    assert "grad              WRONG: [bold]by 3[/bold]" in plain
    assert "the model prints: [red]hello\\x1b[2J" in plain
    assert "\\x1b[31mx" in plain
    assert "still waiting" not in plain
    assert "\x1b[1;31mWRONG" in shown
    assert "\x1b[32myes" in shown


def test_the_line_of_progress_names_the_step_and_its_seconds(terminal):
    with redirect_stdout(terminal), open_screen() as screen:
        screen.begin("grad\x1b")
        said = screen.progress().plain

    assert re.fullmatch(r"grad\\x1b +0\.\d s   0 answered", said)


def test_no_color_is_heard(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    run_steps(terminal)

    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.getvalue())


def test_a_terminal_that_can_t_move_its_cursor_gets_plain_lines(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")

    with redirect_stdout(terminal), open_screen() as screen:
        assert isinstance(screen, PlainScreen)


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["none", "file"])
def test_what_is_no_terminal_gets_plain_lines(stream):
    with redirect_stdout(stream), open_screen() as screen:
        assert isinstance(screen, PlainScreen)


def test_a_terminal_that_goes_away_is_an_output_error(terminal, monkeypatch):
    def fail(text):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(terminal, "write", fail)

    with pytest.raises(OutputError, match="can't write to standard output: Input/output error"):
        run_steps(terminal)


def test_a_model_that_does_not_run_by_itself_has_one_line_and_the_verdict(monkeypatch, capsys):
    failed = {"status": "not applicable", "message": "the plain loop fails: bad shapes"}
    events = [("model", MODEL), ("begin", "own_minibatch"), ("end", failed)]
    events += [("begin", "shared_minibatch"), ("end", failed), ("begin", "grad"), ("end", failed)]
    events += [("begin", "speed_forward"), ("end", failed)]
    monkeypatch.setattr(check_command.supervisor, "supervise", lambda request: (each for each in events))

    report = check_command.run_request(ask("my:net", ("3",)), explained=True)

    assert capsys.readouterr().out.splitlines()[3:] == [
        "own_minibatch     not applicable: the plain loop fails: bad shapes",
        f"{'':20}{check_screen.terminal.explain_step('own_minibatch')}",
        "shared_minibatch  not applicable: see the verdict; nothing else is asked",
        f"{'':20}{check_screen.terminal.explain_step('shared_minibatch')}",
        "VERDICT: NO ANSWER: the plain loop fails: bad shapes",
    ]
    assert set(report.checks) == {"members", "own_minibatch", "shared_minibatch", "grad"}
