"""What is asked, as plain data that goes to a child process."""

from dataclasses import dataclass


class UsageError(ValueError):
    """What was asked makes no sense; the message is one line for the person who asked."""


@dataclass(frozen=True)
class Request:
    """The options of ``conformance check``.

    `model` is package.module:name of what makes a member. Each of `inputs` describes one of forward's positional
    arguments (see `inputs.parsed`), or the only one of them names a function that makes them all. Without a `dtype`
    the model is checked in the device's finest, and timed in float32.
    """

    model: str
    inputs: tuple[str, ...]
    members: int
    batch: int
    device: str = "cpu"
    device_module: str | None = None
    dtype: str | None = None
    implementation: str = "torch.func"
    seed: int = 0
