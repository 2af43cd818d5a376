"""Reports and warnings with text of foreign code, made printable before they are sent, stored or shown."""

import warnings
from traceback import TracebackException

import pytest

from conformance.utils.text import describe_error, escape_unprintable, text_of

LONGEST = 50_000  # characters of a traceback or of what was printed


class UnshowableError(Exception):
    """Stands for an exception that can't be shown; the message is what is known of it."""


def raise_if_unshowable(error: BaseException) -> None:
    """Raise UnshowableError if Python itself can't show the exception, as pytest would end the whole run then."""
    try:
        for _ in TracebackException(type(error), error, error.__traceback__, limit=0).format():
            pass
    except Exception as reason:  # noqa: BLE001 - foreign code may raise anything
        said = f"{describe_error(error)} (it can't be shown: {describe_error(reason)})"
        raise UnshowableError(said) from None


def plain_report(item: pytest.Item, call: pytest.CallInfo[None], message: str) -> pytest.TestReport:
    """Return the report of a failure with no more than a message."""
    return pytest.TestReport(
        item.nodeid,
        item.location,
        {},
        "failed",
        text_of(message),
        call.when,  # type: ignore[arg-type] # no test is in the phase of collection
        duration=call.duration,
        start=call.start,
        stop=call.stop,
    )


def make_printable(report: pytest.TestReport) -> None:
    """Escape in a report what can't be printed, and leave out the middle of what is too long."""
    match report.longrepr:
        case None:
            pass
        case (path, line, reason):
            report.longrepr = path, line, _printable(reason)
        case shown if (said := str(shown)) != (clean := _printable(said)):
            report.longrepr = clean
    report.sections = [(escape_unprintable(name), _printable(text)) for name, text in report.sections]
    if hasattr(report, "wasxfail"):
        report.wasxfail = _printable(report.wasxfail)


def _printable(text: str) -> str:
    return text_of(text, LONGEST)


class PrintableWarnings:
    """The hook that lets no warning break the channel of pytest-xdist."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Put a plain warning in the place of one that can't be printed."""
        said = text_of(warning_message.message)
        if said != _said_by(warning_message.message):
            warning_message.message = UserWarning(said)
            warning_message.category = UserWarning


def _said_by(message: Warning | str) -> str | None:
    try:
        return str(message)
    except Exception:  # noqa: BLE001 - foreign code may raise anything
        return None
