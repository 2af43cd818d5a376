"""The guardian of a child process: it outlives the parent, however that ends, and then ends all that the child left.

It is run as a script, without this package. Standard input is a pipe whose other end the parent alone holds. Through it
come, each followed by a null byte: ``NAME=token``, a variable in the environment of the child and so of every process
that it starts; the child's folder for temporary files, which may be empty; the child's process id. At the end of the
pipe the guardian kills the process group of the child, and on Linux every process with that variable, and removes the
folder.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PAUSE = 0.02  # seconds between two scans
MOST = 10.0  # seconds of scans, if there is always one more process
# A process that is just being replaced by another program shows no environment: one scan may miss it.
EMPTY_SCANS = 2


def clean_up(mark: bytes, group: int | None) -> None:
    """Kill the process group, and all processes with the mark in their environment, until there are none."""
    if group is not None:
        # The parent leaves the child as a zombie until this ends, so that no other group gets its number.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + MOST
    empty = 0
    while empty < EMPTY_SCANS and time.monotonic() < deadline:
        killed = [pid for pid in process_ids() if kill_if_marked(pid, mark)]
        empty = 0 if killed else empty + 1
        time.sleep(PAUSE)


def process_ids() -> list[int]:
    """Return the ids of all processes; none where there is no /proc."""
    try:
        return [int(name) for name in os.listdir(PROC) if name.isdecimal()]  # noqa: PTH208 - names are enough
    except OSError:
        return []


def kill_if_marked(pid: int, mark: bytes) -> bool:
    """Kill a process with the mark in its environment; return whether it had it."""
    try:
        # Held from before the look: if the id goes to another process after it, that one is not meant.
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if mark not in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def main() -> None:
    """Wait for the end of the parent, and clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # A parent that ended early did not say everything.
    mark, folder, group = [*sys.stdin.buffer.read().split(b"\0"), b"", b"", b""][:3]
    if mark:
        clean_up(mark, int(group) if group else None)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
