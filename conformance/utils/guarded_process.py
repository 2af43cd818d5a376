"""A Python process with a guardian, so that neither it nor anything that it starts outlives this process."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Collection
from contextlib import ExitStack, suppress
from pathlib import Path

VARIABLE = "CONFORMANCE_CHILD"  # by its value the guardian knows what the process started
GUARDIAN = Path(__file__).with_name("guardian.py")
PATIENCE = 20.0  # seconds for the guardian, which gives up earlier by itself


class GuardedProcess:
    """A process that runs Python code, in a session of its own. It inherits the descriptors in `passed`.

    `output`: the descriptor of its standard output and standard error. `scratch`: whether it gets a folder for
    temporary files, which is removed at the end.
    """

    def __init__(self, code: str, passed: Collection[int], output: int = 2, *, scratch: bool = False) -> None:
        token = secrets.token_hex()
        folder = _scratch_folder(token) if scratch else None
        environment = {VARIABLE: token} | ({"TMPDIR": folder} if folder else {})
        occupy_standard_streams()
        with ExitStack() as stack:
            self._guardian = _start_guardian()
            stack.callback(_finish, self._guardian)
            _write(self._guardian, f"{VARIABLE}={token}\0".encode() + os.fsencode(folder or "") + b"\0")
            if folder:
                # Made only now, so that there is always someone to remove it.
                os.mkdir(folder, 0o700)  # noqa: PTH102 - as text, for the environment
            self._process = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, "-P", "-c", code],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=tuple(passed),
                env=os.environ | environment,
                start_new_session=True,
            )
            _write(self._guardian, b"%d\0" % self._process.pid)
            self._stack = stack.pop_all()

    def give(self, data: bytes) -> None:
        """Write to standard input of the process and close it; a process that is gone already is no error."""
        _write(self._process, data)
        _close_input(self._process)

    @property
    def exit_code(self) -> int | None:
        """The exit code as of `subprocess.Popen`, or None as long as the process lives."""
        try:
            # It stays a zombie, so that its id and that of its group stay its own until the guardian has ended.
            found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:  # this process was started with SIGCHLD ignored: the code is lost
            return 0
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def close(self) -> None:
        """End the process and all that it started."""
        self._stack.close()
        _close_input(self._process)
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # the kernel holds it, and nothing can be done
            self._process.wait(PATIENCE)


def occupy_standard_streams() -> None:
    """Open the descriptors 0, 1 and 2 that were closed when Python started: no pipe may get one of these numbers."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - standard error
        os.set_inheritable(handle, True)
    os.close(handle)


def _scratch_folder(token: str) -> str | None:
    """Return the path for a new folder, or None where no temporary files can be made."""
    try:
        return os.path.join(tempfile.gettempdir(), f"conformance-{token[:16]}")  # noqa: PTH118 - likewise
    except OSError:
        return None


def _start_guardian() -> "subprocess.Popen[bytes]":
    # It must not carry the variable of a process around this one, whose guardian would kill it.
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.Popen(  # noqa: S603 - this Python
        [sys.executable, "-I", "-S", str(GUARDIAN)],
        stdin=subprocess.PIPE,
        # A reader of this process's output must not wait for the guardian.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        start_new_session=True,
    )


def _finish(guardian: "subprocess.Popen[bytes]") -> None:
    """Let the guardian do its work, which it begins when its input ends."""
    _close_input(guardian)
    try:
        guardian.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        guardian.kill()
        guardian.wait()


def _write(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(data)
        process.stdin.flush()


def _close_input(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
