"""The options of ``conformance check``, as plain data that is sent to a child process."""

from dataclasses import dataclass


class UsageError(ValueError):
    """A mistake in the options or in the user's model; the message is one line."""


@dataclass(frozen=True)
class Request:
    """The options of ``conformance check``.

    `model`: package.module:name of the factory of members. `inputs`: a description of each positional argument of
    forward (see `input_spec`), or one name of a function that makes all of them. `dtype`: by default, checks use the
    most precise dtype of the device, and timings use torch's default dtype.
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
