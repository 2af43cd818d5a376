"""Runs reproducers in forks of one process that has imported torch once: ``python forked_scripts.py SCRIPT...``.

It prints a line of JSON for each: its name, its exit code (negative for a signal) and what it printed.
"""

import json
import os
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import torch

from conformance.diagnosis.run_script import main

MOST = 100  # seconds for one script


def run(path):
    """Run one script in a fork and return its exit code and what it printed."""
    with tempfile.TemporaryFile() as printed:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            signal.alarm(MOST)
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            warnings.simplefilter("ignore")
            code = main(path)
            sys.stdout.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        printed.seek(0)
        return code, printed.read().decode(errors="replace")


if __name__ == "__main__":
    # This imports the compiler, once for all forks; some optimizers and derivatives need it too.
    torch.compile(print, backend="aot_eager")
    for path in sys.argv[1:]:
        code, printed = run(path)
        sys.stdout.write(json.dumps({"name": Path(path).stem, "code": code, "printed": printed}) + "\n")
