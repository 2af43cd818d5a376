"""The end of a run: the verdict on the screen first, and then the files, each of which may fail to be written."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conformance.plugin.session import Run
from conformance.report import diff, diff_text, reader, writer
from conformance.report.html import page as html_page
from conformance.report.html.diff import make_diff_step
from conformance.report.journal import Journal
from conformance.utils.exit_codes import ExitCode
from conformance.utils.files import error_reason, write_file
from conformance.utils.text import escape_unprintable


class Output:
    """Shows the verdict, and writes the result file and the page.

    `failed`: a file that the caller asked for could not be written. `proposals`: the text of the expectations file, if
    one was asked for and the run is complete.
    """

    def __init__(self, run: Run, journal: Journal) -> None:
        self.run = run
        self.journal = journal
        self.screen: list[str] = []
        self.baseline: reader.Result | None = None
        self.failed = False
        self.proposals: str | None = None

    def prepare(self, lines: Iterable[str], document: Mapping[str, Any], verdict: str, incomplete: str | None) -> None:
        """Take the lines to show: the report, what changed since the baseline if the run is complete, the verdict."""
        self.screen = [*lines, *self._changes(document, incomplete)]
        self.screen.append(f"results: {self.run.result}")
        self.screen += [f"page: {self.run.page}"] * bool(self.run.page)
        self.screen += [f"expectations: {self.run.proposals}"] * bool(self.run.proposals and not incomplete)
        self.screen.append(verdict)

    def _changes(self, document: Mapping[str, Any], incomplete: str | None) -> Iterator[str]:
        if self.run.baseline is None:
            return
        if incomplete:
            yield "not compared: the run is incomplete"
            return
        result = reader.parse_result(self.run.result.name, document)
        self.baseline = diff.restrict_to_selection(self.run.baseline, result)
        yield from diff_text.diff_lines(diff.compare(self.baseline, result))

    # The outermost wrapper: pytest's own summary of failures comes first, and the verdict last.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None]:
        yield
        for problem in self.run.problems:
            terminalreporter.write_line(f"ERROR: {escape_unprintable(problem)}", red=True)
        self._show(terminalreporter)

    def _show(self, terminalreporter: Any) -> None:
        lines, self.screen = self.screen, []
        if lines:
            terminalreporter.section("verdict")
        for line in lines:
            terminalreporter.write_line(escape_unprintable(line))

    def finish(self, session: pytest.Session, document: Mapping[str, Any]) -> None:
        """Write the files, and say which can't be written; a file that was asked for and fails sets the status."""
        run, page = self.run, self.run.page
        told = [f"journal: incomplete: {self.journal.problem}"] * bool(self.journal.problem)
        told += self._write("results", run.result, partial(writer.write_result, run.result, document))
        if page:
            told += self._write("page", page, lambda: write_file(page, self._page(document)))
        if self.run.proposals and self.proposals is not None:
            write = partial(write_file, self.run.proposals, self.proposals.encode())
            told += self._write("expectations", self.run.proposals, write)
        if self.failed:
            session.exitstatus = ExitCode.CANNOT_WRITE
        terminalreporter = session.config.pluginmanager.getplugin("terminalreporter")
        if terminalreporter is not None:
            self._show(terminalreporter)  # pytest shows no summary after an internal error
            for line in told:
                terminalreporter.write_line(escape_unprintable(line))

    def _write(self, what: str, path: Path, write: Callable[[], None]) -> Iterator[str]:
        """Write a file, and yield a line if that fails."""
        try:
            write()
        except OSError as error:
            self.failed = self.failed or what != "results" or self.run.result_asked
            yield f"ERROR: {what}: can't write {path}: {error_reason(error)}"

    def _page(self, document: Mapping[str, Any]) -> bytes:
        result = reader.parse_result(self.run.result.name, document)
        steps = [make_diff_step(self.baseline, result)] if self.baseline else []
        return html_page.render_page([result], steps).encode()
