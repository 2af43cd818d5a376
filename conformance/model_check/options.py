"""The options of ``conformance check``, as plain data that is sent to a child process."""

from dataclasses import dataclass

# Seconds for one step: a check of a large model may take minutes.
STEP_TIMEOUT = 600.0


class UsageError(ValueError):
    """A mistake in the options or in the user's model; the message is one line."""


class CannotAnswerError(Exception):
    """An environment in which no model can be checked; the message is one line."""


@dataclass(frozen=True)
class Request:
    """The options of ``conformance check``.

    `model`: package.module:name of the factory of members. `inputs`: a description of each positional argument of
    forward (see `input_spec`), or one name of a function that makes all of them. `dtype`: by default, checks use the
    most precise dtype of the device, and timings use torch's default dtype. `timeout`: seconds after which a silent
    step counts as a crash. `speed`: whether the speed is measured. `snippet`: whether
    code is made that ensembles the model.
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
    timeout: float = STEP_TIMEOUT
    speed: bool = True
    snippet: bool = False
