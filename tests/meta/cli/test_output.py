"""Is what the verbs print safe to show, and is an end of the output an error in one line at most?"""

import io
import sys

import pytest

from conformance.cli.output import OutputError, print_error, print_lines, print_text, tolerate_lost_output


class Failing(io.StringIO):
    """A stream without a descriptor that takes nothing."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def fileno(self):
        raise ValueError("no descriptor")


FULL = OSError(28, "No space left on device")


def test_lines_are_printable(capsys):
    print_lines(["a\x1b[2J", "b\nc"])

    assert capsys.readouterr().out == "a\\x1b[2J\nb\\nc\n"


@pytest.mark.parametrize(
    ("stream", "word"),
    [
        (Failing(FULL), "No space left on device"),
        (Failing(ValueError("closed file")), "closed file"),
        (None, "it is closed"),
    ],
    ids=["full", "closed", "none"],
)
def test_a_stream_that_takes_no_more_is_one_error(monkeypatch, stream, word):
    monkeypatch.setattr(sys, "stdout", stream)

    with pytest.raises(OutputError, match=f"^can't write to standard output: {word}$"):
        print_text("text")


def test_a_reader_that_went_away_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Failing(BrokenPipeError()))

    print_text("text")


@pytest.mark.parametrize("stream", [Failing(FULL), None], ids=["full", "none"])
def test_an_error_that_can_not_be_shown_is_lost(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)

    print_error("text")


def test_an_error_is_one_printable_line(capsys):
    print_error("two\nlines \x07")

    assert capsys.readouterr().err == "ERROR: two lines \\x07\n"


@pytest.mark.parametrize(
    ("stream", "lost", "said"),
    [
        (io.StringIO(), 0, ""),
        (Failing(BrokenPipeError()), 0, ""),
        (Failing(FULL), 2, "ERROR: can't write to standard output: No space left on device\n"),
        (None, 1, "ERROR: can't write to standard output: it is closed\n"),
    ],
    ids=["good", "gone", "full", "none"],
)
def test_lost_output_does_not_stop_what_writes_it(monkeypatch, capsys, stream, lost, said):
    monkeypatch.setattr(sys, "stdout", stream)

    with tolerate_lost_output() as found:
        sys.stdout.write("one")
        sys.stdout.write("two")
        sys.stdout.flush()

    assert len(found) == lost
    assert sys.stdout is stream
    assert capsys.readouterr().err == said


def test_a_tolerant_stream_has_the_attributes_of_its_own():
    with tolerate_lost_output():
        assert sys.stdout.encoding == sys.__stdout__.encoding or sys.stdout.encoding
