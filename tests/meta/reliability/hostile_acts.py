"""Acts of models: they hang, end the process, leave others, write everywhere, change what is not their own."""

import builtins
import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch

LONG = ["sleep", "600"]


def hang():
    time.sleep(600)


def raising(error):
    def act():
        raise error

    return act


def kill(number):
    return lambda: os.kill(os.getpid(), number)


class SecondCall:
    """An act that hangs from the second call on."""

    calls = 0

    def __call__(self):
        SecondCall.calls += 1
        if SecondCall.calls > 1:
            hang()


def overflow_the_stack():
    sys.setrecursionlimit(10**8)
    ctypes.CFUNCTYPE(None)(overflow_the_stack)()


def spawn():
    subprocess.Popen(LONG)


def spawn_in_a_session():
    subprocess.Popen(LONG, start_new_session=True)


def spawn_by_double_fork():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp(LONG[0], LONG)  # noqa: S606
        os._exit(0)


def spawn_and_die():
    spawn_in_a_session()
    os._exit(0)


def leave_and_hang():
    """Leave all kinds of processes and a temporary file, say so, and hang."""
    for act in (spawn, spawn_in_a_session, spawn_by_double_fork, breed):
        act()
    tempfile.mkstemp()
    Path("hanging").touch()
    hang()


class Forking:
    """An act that returns in two processes, a few times; a copy makes no copies."""

    left = 5

    def __init__(self):
        self.home = os.getpid()

    def __call__(self):
        if os.getpid() == self.home and Forking.left:
            Forking.left -= 1
            os.fork()


def breed():
    """Leave a process that goes on to start others."""
    subprocess.Popen(["/bin/sh", "-c", "while :; do setsid sleep 600 & sleep 0.1; done"], start_new_session=True)


def handles():
    return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208


def write_everywhere(data):
    def act():
        for handle in handles():
            try:
                os.set_blocking(handle, False)
                os.write(handle, data)
            except OSError:
                continue

    return act


def close_everything():
    os.closerange(0, 1000)


class PrintMuch:
    """An act that prints 100 MB at its first call."""

    left = 100

    def __call__(self):
        while PrintMuch.left:
            PrintMuch.left -= 1
            sys.stdout.write("much " * 200_000 + "\n")


def print_controls():
    print("\x1b[2J\x1b]0;title\x07 \x9b31m \u202e \udcff".encode("utf-8", "replace").decode(), "\x00\r\x08")  # noqa: T201
    os.write(2, b"\xff\xfe\x1b[31m\x9b\n")


class UnspeakableError(Exception):
    """An exception that says nothing, loudly."""

    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


def delete_the_folder():
    shutil.rmtree(Path.cwd(), ignore_errors=True)


def change_the_folder():
    os.chdir("/")


def ignore_signals():
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    hang()


def start_a_thread():
    threading.Thread(target=hang).start()


def patch_python():
    builtins.print = json.dumps = json.loads = sys.exit = os.write = os.getpid = raising(SystemExit(0))
    sys.stdout = sys.stderr = None


def patch_torch():
    torch.func.functional_call = torch.vmap = torch.func.vmap = torch.stack = raising(SystemExit(0))


def change_settings():
    torch.set_default_dtype(torch.float16)
    torch.set_num_threads(3)


def starve():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
