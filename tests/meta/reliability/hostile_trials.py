"""One trial of `conformance check` on a hostile model: how it is started, and what it leaves."""

import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT

HERE = Path(__file__).parent
TIMEOUT = 4  # seconds, as --timeout of the trial


@dataclass(frozen=True)
class Trial:
    """A started `conformance check`, whose processes all carry `mark` in their environment."""

    process: subprocess.Popen
    mark: str
    folder: Path

    def printed(self):
        """Return what it printed; raises UnicodeDecodeError if that is no text."""
        return [(self.folder / name).read_bytes().decode() for name in ("out", "err")]

    def processes(self):
        """Return the ids of its processes; a zombie has no environment any more."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                found += [int(path.parent.name)] if self.mark.encode() in path.read_bytes() else []
            except OSError:
                continue
        return found

    def scratch_files(self):
        return list((self.folder / "scratch").iterdir())

    def leaves_nothing(self, seconds=10):
        """Return whether all processes end by themselves in time."""
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.processes()


def without_coverage():
    """Return the environment without coverage, which would double the time of the trials."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def start(folder, model, *options, timeout=TIMEOUT, python=(), out=None, **environment):
    """Start a trial in an empty folder with a temporary folder of its own."""
    mark = uuid.uuid4().hex
    for name in ("work", "scratch"):
        (folder / name).mkdir()
    command = ["-m", "conformance", "check", model, "--input=3", "--members=2", "--batch=2", f"--timeout={timeout}"]
    variables = without_coverage() | {
        "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
        "TMPDIR": str(folder / "scratch"),
        "TRIAL": mark,
    }
    with (folder / "out").open("wb") as file, (folder / "err").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, *python, *command, *options],
            cwd=folder / "work",
            env=variables | environment,
            stdin=subprocess.DEVNULL,
            stdout=out or file,
            stderr=errors,
        )
    return Trial(process, mark, folder)
