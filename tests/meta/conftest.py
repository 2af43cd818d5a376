"""What the tests of the suite share: runs of the suite inside this process, and the kill matrix as a table."""

import json
import math
import os
import signal
import subprocess
import sys
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from trials import count_trials

from conformance.spec.locations import HOME as ROOT
from conformance.spec.locations import SUITE

CHAPTERS = sorted(str(path) for path in SUITE.glob("test_*.py"))
# A nested run keeps its hands off what belongs to the outer one: its cache, its coverage, its alarm clock, its garbage
# (unraisableexception collects all of it ten times when a run ends, which takes a quarter of the time of a short one).
OFF = ("cacheprovider", "cov", "xdist", "randomly", "unraisableexception")
NESTED = [
    "-q",
    "-otimeout=0",
    "-ofaulthandler_timeout=0",
    *(f"-pno:{each}" for each in OFF),
    "--hypothesis-profile=quick",
]
# Fewer draws, and what they fail on need not be small.
hypothesis.settings.register_profile(
    "quick",
    hypothesis.settings.get_profile("conformance"),
    max_examples=40,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


SEED = 67280421310721  # that of a new torch.Generator


@pytest.fixture(autouse=True)
def fixed_seed():
    """Draw the same members in each run: torch gives each process another seed, and a test may leave one of its own."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.default_generator.manual_seed(SEED)


@pytest.fixture(scope="session", autouse=True)
def usual_signals():
    """Handle signals as at a terminal: a shell that starts this in the background ignores some of them."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL, signal.SIGTERM: signal.SIG_DFL}
    ignored = [number for number in usual if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, usual[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


class Thin:
    """A plugin for a run that keeps all tests of one requirement, if any, and some of the others: `OTHERS` at most.

    What a fault does to other requirements a few of their cases show; all faults times all cases would take an hour.
    Each fault is tried on others of them, so that all faults together are tried on all. Of the requirement's own tests
    those after the first red one say nothing new, and are left out.
    """

    MOST = 2
    OTHERS = 6

    def __init__(self, requirement: str | None, fault: str = "", shown_by: str = "") -> None:
        self.requirement = requirement
        self.start = zlib.crc32(fault.encode())
        self.shown_by = shown_by
        self.own = set()
        self.red = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        cases = {}
        for item in items:
            cases.setdefault((item.function, item.get_closest_marker("requirement").args[0]), []).append(item)
        own = [item for each in cases.values() if self.asks(each[0]) for item in each if self.shown_by in item.name]
        others = [item for each in cases.values() if not self.asks(each[0]) for item in self.some(each)]
        step = max(1, math.ceil(len(others) / self.OTHERS)) if self.requirement else 1
        kept = {*own, *others[self.start % step :: step]}
        self.own = {item.nodeid for item in own}
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [item for item in items if item in kept]
        for item in items:
            # Nobody reads how hundreds of tests fail: to draw it up takes longer than to run them.
            item.repr_failure = lambda excinfo, **_: str(excinfo.value)

    def pytest_runtest_logreport(self, report):
        self.red = self.red or (report.failed and report.nodeid in self.own)

    def pytest_runtest_setup(self, item):
        if self.red and item.nodeid in self.own:
            pytest.skip("its requirement is red")

    def asks(self, item):
        return item.get_closest_marker("requirement").args[0] == self.requirement

    def some(self, cases):
        """The first, the last, and what there is room for evenly between them."""
        if len(cases) <= self.MOST:
            return cases
        return [cases[round(i * (len(cases) - 1) / (self.MOST - 1))] for i in range(self.MOST)]


class Only:
    """A plugin for a run of the suite's folder that leaves out all files but these.

    For each file among its arguments, pytest would collect the whole folder anew.
    """

    def __init__(self, files):
        self.names = {Path(file).name for file in files}

    def pytest_ignore_collect(self, collection_path):
        # None leaves the decision to pytest: "meta" is not of the suite.
        return None if collection_path == SUITE or collection_path.name in self.names else True


@dataclass(frozen=True)
class Outcome:
    """A run of the suite: exit code, the result file's content (None if there is none), and what it printed."""

    code: int
    result: dict | None
    printed: str

    def statuses(self):
        return {(row["id"], row["implementation"]): row["status"] for row in self.result["requirements"]}

    def red(self):
        return {row["id"] for row in self.result["requirements"] if row["status"] == "fails"}


@pytest.fixture
def run_suite(tmp_path, capfd, monkeypatch):
    """Run the suite in this process with more arguments."""
    # A worker of the outer run must not look like a worker of the inner one.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(*arguments, paths=CHAPTERS, plugins=()):
        result = tmp_path / "result.json"
        result.unlink(missing_ok=True)
        if paths and all(Path(path).parent == SUITE and "::" not in path for path in paths):
            paths, plugins = [str(SUITE)], [*plugins, Only(paths)]
        code = pytest.main([*paths, *NESTED, f"--rootdir={ROOT}", f"--result={result}", *arguments], plugins)
        printed = capfd.readouterr()
        return Outcome(int(code), load(result), printed.out + printed.err)

    return run


def in_a_process(folder, *arguments, program="pytest", **variables):
    """The suite as a user runs it, workers and all, with more variables in its environment."""
    result = folder / "result.json"
    verb = ["run"] if program == "conformance" else []
    command = [sys.executable, "-m", program, *verb, "-p", "no:cacheprovider", f"--result={result}", *arguments]
    # Who runs this may be a worker itself.
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST_")}
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, env=surroundings | variables)
    return Outcome(done.returncode, load(result), done.stdout + done.stderr)


def load(result: Path):
    return json.loads(result.read_text(encoding="utf-8")) if result.exists() else None


def pytest_configure(config):
    config.addinivalue_line("markers", "whole: run by `tox -e reliability` alone, as it takes long")


def pytest_terminal_summary(terminalreporter):
    """The kill matrix and the trials, from what their tests reported, from whichever worker."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    trials = list(count_trials(reports))
    if trials:
        terminalreporter.section("reliability: faults of process, file and input")
    for line in trials:
        terminalreporter.write_line(line)
    rows = sorted(value for report in reports for key, value in report.user_properties if key == "kill")
    if rows:
        terminalreporter.section("kill matrix: what goes red under each fault")
    for requirement, fault, red in rows:
        others = len(red) - (requirement in red)
        killed = "killed" if requirement in red else "SURVIVED"
        terminalreporter.write_line(f"{killed:9}{requirement:40}{fault:30}{f'and {others} others' if others else ''}")


# In a container there is no sandbox to start, and the browser's own calls home are no business of these tests.
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")


@pytest.fixture(scope="session")
def browser():
    """An installed Chromium or Chrome, driven by Playwright."""
    from install_chromium import find_chromium
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            # Without a path Playwright starts its own build.
            yield playwright.chromium.launch(executable_path=find_chromium(), args=QUIET)
        except Error as error:
            pytest.fail(f"no Chromium: run tests/meta/install_chromium.py ({error.message})", pytrace=False)


@pytest.fixture
def visit(browser):
    """Opens a page; it may ask for nothing but itself, and complain of nothing."""

    @contextmanager
    def visit(file, address="", **options):
        context = browser.new_context(**options)
        asked, said = [], []
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{file.as_uri()}{address}")
        yield page
        context.close()
        assert [url for url in asked if not url.startswith((file.as_uri(), "data:,"))] == []
        assert said == []

    return visit
