"""A run of the suite as a process of its own, with what it printed, wrote and left behind."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree as ET

from conformance.report.reader import read_result
from conformance.spec.locations import HOME

HERE = Path(__file__).parent
SLACK = 60  # seconds after which a run that was told to end hangs, on a machine that does other things too
MARKER = "CONFORMANCE_TRIAL"
# Of an outer run: a worker's variables, and coverage, which would double the time of the trials.
KEPT_OUT = ("PYTEST_", "COVERAGE_")


@dataclass
class SuiteProcess:
    """A run that was started. `folder`: where it runs and writes result.json, page.html and junit.xml."""

    folder: Path
    process: subprocess.Popen
    token: str
    printed: str = ""
    killed: list = field(default_factory=list)

    def signal_group(self, number):
        os.killpg(self.process.pid, number)

    def wait(self, patience=300):
        """Wait for the end, and keep what was printed."""
        try:
            self.process.wait(patience)
        finally:
            self.printed = (self.folder / "printed.txt").read_text(encoding="utf-8")
            self.killed = processes_with(self.token)
            for process in self.killed:
                os.kill(process, signal.SIGKILL)
        return self

    @property
    def code(self):
        return self.process.returncode

    @property
    def result(self):
        """The result as our own reader reads it, or None if there is no file."""
        path = self.folder / "result.json"
        return read_result(path) if path.exists() else None

    def failures_in_junit(self):
        tree = ET.parse(self.folder / "junit.xml")  # noqa: S314 - pytest wrote it here
        return [*tree.iter("failure"), *tree.iter("error")]

    def page(self):
        return (self.folder / "page.html").read_text(encoding="utf-8")


def start_suite(folder, *arguments, files=True, cwd=None, limits=None, variables=None):
    """Start a run in `folder` as the leader of a process group.

    `files`: whether it is asked for all its files. `cwd`: another folder to run in. `limits`: called in the process.
    """
    token = uuid4().hex
    names = ("--result=result.json", "--html=page.html", "--junit-xml=junit.xml") if files else ()
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(KEPT_OUT)}
    path = os.pathsep.join([str(HERE), str(HOME), str(folder)])
    with (folder / "printed.txt").open("w", encoding="utf-8") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "conformance", "run", *names, *arguments],
            cwd=cwd or folder,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=limits,  # noqa: PLW1509 - it sets a limit and nothing else
            env=surroundings | {"PYTHONPATH": path, MARKER: token, **(variables or {})},
        )
    return SuiteProcess(folder, process, token)


def processes_with(token, patience=15):
    """Return the processes that a run left behind; what is on its way out gets a moment."""
    end = time.monotonic() + patience
    while found := list(_processes(token)):
        if time.monotonic() > end:
            return found
        time.sleep(0.1)
    return []


def _processes(token):
    entry = f"{MARKER}={token}".encode()
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and entry in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)
        except OSError:
            continue
