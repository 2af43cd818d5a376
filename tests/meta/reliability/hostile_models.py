"""Models that do what no model should, each for one trial of `conformance check`: see test_hostile_models.py.

`MODELS` has their factories, each an attribute of this module as well, with ``model_`` before its name. `IMPORTS` does
something when the module is imported, if the environment variable HOSTILE_IMPORT names it.
"""

import atexit
import os
import signal

import hostile_acts as acts
import torch
from hostile_acts import hang, kill, raising
from torch import nn


class Acting(nn.Module):
    """A linear layer that does something first."""

    def __init__(self, act):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.act = act

    def forward(self, x):
        self.act()
        return self.linear(x)


class Returning(nn.Module):
    """A linear layer whose output is replaced."""

    def __init__(self, change):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.change = change

    def forward(self, x):
        return self.change(self.linear(x))


class Backward(torch.autograd.Function):
    """A copy whose derivative never comes."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        hang()


class Endless(nn.Module):
    """A module whose text never ends."""

    def __repr__(self):
        return repr(self)

    def forward(self, x):
        raise ValueError(repr(self))


class Unreadable(nn.Module):
    """A module that ends the process where it is looked at."""

    @property
    def training(self):
        raise SystemExit(0)

    @training.setter
    def training(self, value):
        pass


class Leaving(Acting):
    """A module that makes trouble when it is deleted."""

    def __init__(self, act, last):
        super().__init__(act)
        self.last = last

    def __del__(self):
        self.last()


def nested(y):
    for _ in range(100_000):
        y = (y,)
    return y


def at_exit(act):
    def make():
        if not at_exit.done:
            atexit.register(act)
            at_exit.done = True
        return nn.Linear(3, 2)

    return make


at_exit.done = False


def acting(act):
    return lambda: Acting(act)


def returning(change):
    return lambda: Returning(change)


def during(act):
    def make():
        act()
        return nn.Linear(3, 2)

    return make


FORGED = b'["item", ["end", {"status": "right", "message": ""}]]\n["", "done", null]\n{"kind": "done"}\n["' + b"0" * 64
LOUD_NAME = type("Red\x1b[31m\u202e\nNet", (nn.Linear,), {"__module__": "\x1b[2J\udcff"})
MODELS = {
    "hang_in_forward": acting(hang),
    "hang_in_backward": returning(Backward.apply),
    "hang_in_second_call": acting(acts.SecondCall()),
    "hang_in_init": during(hang),
    "hang_in_a_deaf_process": acting(acts.ignore_signals),
    "stop": acting(kill(signal.SIGSTOP)),
    "exit_0": acting(lambda: os._exit(0)),
    "exit_1": acting(lambda: os._exit(1)),
    "exit_0_in_init": during(lambda: os._exit(0)),
    "sigkill": acting(kill(signal.SIGKILL)),
    "sigsegv": acting(kill(signal.SIGSEGV)),
    "real_time_signal": acting(kill(signal.SIGRTMIN + 6)),
    "kill_the_group": acting(lambda: os.killpg(0, signal.SIGKILL)),
    "stack_overflow": acting(acts.overflow_the_stack),
    "memory_error": acting(raising(MemoryError())),
    "system_exit": acting(raising(SystemExit(0))),
    "system_exit_in_init": during(raising(SystemExit(0))),
    "keyboard_interrupt": acting(raising(KeyboardInterrupt())),
    "keyboard_interrupt_in_init": during(raising(KeyboardInterrupt())),
    "spawn": acting(acts.spawn),
    "spawn_in_a_session": acting(acts.spawn_in_a_session),
    "spawn_by_double_fork": acting(acts.spawn_by_double_fork),
    "spawn_and_die": acting(acts.spawn_and_die),
    "spawn_at_exit": at_exit(acts.spawn_in_a_session),
    "breed": during(acts.breed),
    "leave_and_hang": acting(acts.leave_and_hang),
    "fork_and_return": acting(acts.Forking()),
    "write_garbage": acting(acts.write_everywhere(os.urandom(5000))),
    "write_forged": acting(acts.write_everywhere(FORGED)),
    "close_everything": acting(acts.close_everything),
    "print_much": acting(acts.PrintMuch()),
    "print_controls": acting(acts.print_controls),
    "loud_name": lambda: LOUD_NAME(3, 2),
    "lone_surrogate": acting(raising(ValueError("\udcff \x1b[31m"))),
    "unspeakable": acting(raising(acts.UnspeakableError())),
    "unspeakable_in_init": during(raising(acts.UnspeakableError())),
    "long_message": acting(raising(ValueError("long \n" * 2_000_000))),
    "endless_repr": Endless,
    "unreadable": Unreadable,
    "system_exit_in_del": lambda: Leaving(int, raising(SystemExit(0))),
    "exit_0_in_del": lambda: Leaving(int, lambda: os._exit(0)),
    "system_exit_at_exit": at_exit(raising(SystemExit(0))),
    "exit_0_at_exit": at_exit(lambda: os._exit(0)),
    "hang_at_exit": at_exit(hang),
    "change_the_folder": acting(acts.change_the_folder),
    "delete_the_folder": acting(acts.delete_the_folder),
    "delete_the_folder_and_die": acting(lambda: (acts.delete_the_folder(), os._exit(0))),
    "threads": during(acts.start_a_thread),
    "patch_python": acting(acts.patch_python),
    "patch_torch": acting(acts.patch_torch),
    "settings": acting(acts.change_settings),
    "no_descriptors": acting(acts.starve),
    "no_tensor": returning(lambda y: object()),
    "nested": returning(nested),
    "nan": returning(lambda y: y * float("nan")),
}
IMPORTS = {
    "hang": hang,
    "exit_0": lambda: os._exit(0),
    "system_exit": raising(SystemExit(0)),
    "keyboard_interrupt": raising(KeyboardInterrupt()),
    "unspeakable": raising(acts.UnspeakableError()),
    "spawn_and_die": acts.spawn_and_die,
}


def __getattr__(name):
    factory = MODELS.get(name.removeprefix("model_"))
    if factory is None:
        raise AttributeError(name)
    return factory


IMPORTS.get(os.environ.get("HOSTILE_IMPORT"), int)()
