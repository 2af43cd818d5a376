"""Is what foreign code says in a report or a warning printable before anybody sends or shows it?"""

import sys
import warnings
from types import SimpleNamespace

import pytest

from conformance.plugin.printing import (
    LONGEST,
    PrintableWarnings,
    UnshowableError,
    make_printable,
    plain_report,
    raise_if_unshowable,
)
from conformance.plugin.streams import kept_open


class Classless(Exception):  # noqa: N818 - what it stands for
    @property
    def __notes__(self):
        raise ValueError("no notes")


def report(longrepr, sections=()):
    made = pytest.TestReport("test", ("file", 0, "test"), {}, "failed", longrepr, "call", sections=sections)
    make_printable(made)
    return made


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, None),
        ("two\n\tlines", "two\n\tlines"),
        ("\x1b[2J \ud800", r"\x1b[2J \ud800"),
        (("file", 1, "Skipped: \ud800"), ("file", 1, r"Skipped: \ud800")),
    ],
    ids=["nothing", "plain", "control", "skip"],
)
def test_what_a_report_shows_is_printable(said, expected):
    assert report(said).longrepr == expected


def test_what_was_printed_is_printable_and_bounded():
    (section, other) = report(None, [("stdout \x07", "\x1b[2J"), ("stderr", "x" * 10 * LONGEST)]).sections

    assert section == (r"stdout \x07", r"\x1b[2J")
    assert len(other[1]) < LONGEST + 100


def test_the_reason_of_a_known_failure_is_printable():
    known = pytest.TestReport("test", ("file", 0, "test"), {}, "skipped", None, "call", wasxfail="\ud800")

    make_printable(known)

    assert known.wasxfail == r"\ud800"


def test_an_exception_that_can_not_be_shown_is_replaced():
    with pytest.raises(UnshowableError, match=r"^Classless: x \(it can't be shown: ValueError: no notes\)$"):
        raise_if_unshowable(Classless("x"))

    raise_if_unshowable(ValueError("x"))


def test_a_plain_report_is_a_failure_with_a_message():
    item = SimpleNamespace(nodeid="test", location=("file", 0, "test"))
    call = SimpleNamespace(when="call", duration=1.0, start=2.0, stop=3.0)

    made = plain_report(item, call, "\x1b")

    assert (made.outcome, made.longrepr, made.when) == ("failed", r"\x1b", "call")


class Mute(UserWarning):
    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("warning", "said"),
    [(UserWarning("half \ud800"), r"half \ud800"), (Mute(), "<str() of Mute raises ValueError>")],
    ids=["surrogate", "mute"],
)
def test_a_warning_that_can_not_be_printed_is_replaced(warning, said):
    recorded = warnings.WarningMessage(warning, type(warning), "file", 1)

    PrintableWarnings().pytest_warning_recorded(recorded)

    assert (str(recorded.message), recorded.category) == (said, UserWarning)


def test_other_warnings_stay():
    recorded = warnings.WarningMessage(FutureWarning("well"), FutureWarning, "file", 1)

    PrintableWarnings().pytest_warning_recorded(recorded)

    assert recorded.category is FutureWarning


def test_standard_output_stays_open_and_is_put_back():
    before = sys.stdout, sys.stderr

    with kept_open():
        sys.stdout.close()
        sys.stdout.write("")
        sys.stdout = sys.stderr = None

    assert (sys.stdout, sys.stderr) == before
    assert not sys.stdout.closed
