"""The verb ``conformance run``: pytest on the suite, from any folder, in a process of its own.

What is judged may end its process, even with exit code 0. The process that waits here ends with 0 only if the one that
judges has said so.
"""

import argparse
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from conformance.cli.output import print_error, print_lines
from conformance.utils.exit_codes import ExitCode

# Signals that are passed on. Ctrl-C reaches all processes of the terminal by itself.
PASSED_ON = ("SIGTERM", "SIGHUP")
SEAL = b"conformance ended with %d\n"


def main(arguments: Sequence[str]) -> int:
    """Run pytest on the suite in a child process, and return its exit code.

    All files are written to the caller's folder. Its conftest.py and its pytest configuration are ignored.
    """
    if sys.flags.optimize:
        print_error("python -O removes the assertions of the suite")
        return ExitCode.USAGE_ERROR
    if {"-h", "--help"} & {*arguments}:
        print_lines([*make_parser().format_help().splitlines(), "", "The options of pytest are taken as well:", ""])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-m", "conformance.cli.judge", str(theirs.fileno()), *arguments]
        with _interrupts_ignored():
            child = subprocess.Popen(command, pass_fds=[theirs.fileno()])  # noqa: S603 - this package itself
            theirs.close()
            with _signals_passed_on(child):
                code = child.wait()
                if _sealed(ours) == SEAL % code:
                    return code
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    print_error(f"INCOMPLETE: the process that judged ended with {how} and without a verdict")
    return ExitCode.INTERRUPTED


def make_parser() -> argparse.ArgumentParser:
    """Return a parser of the suite's own options; it is used for help texts alone, as pytest parses them."""
    from conformance.plugin.options import add_options

    parser = argparse.ArgumentParser(prog="conformance run", add_help=False, usage="conformance run [options] [tests]")
    add_options(parser.add_argument)
    return parser


def _sealed(connection: socket.socket) -> bytes:
    """Return what the child said at its end; a process that it left behind may hold the connection open."""
    connection.setblocking(False)
    said = b""
    with suppress(OSError):
        while part := connection.recv(1024):
            said = (said + part)[-len(SEAL) :]
    return said


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let the child end as it likes after Ctrl-C. A child does not inherit a handler, as it would an ignored signal."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _signals_passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    numbers = [getattr(signal, name) for name in PASSED_ON if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda number, _: child.send_signal(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
