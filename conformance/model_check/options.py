"""The options of ``conformance check``, as plain data that is sent to a child process."""

from dataclasses import dataclass

from conformance.model_check.steps import COSTS, SNIPPET, choose_steps
from conformance.model_check.uses import needed_steps

# Seconds for one step: a check of a large model may take minutes.
STEP_TIMEOUT = 600.0
# Members made by a factory.
DEFAULT_MEMBERS = 5


class UsageError(ValueError):
    """A mistake in the options or in the user's model; the message is one line."""


class CannotAnswerError(Exception):
    """An environment in which no model can be checked; the message is one line."""


@dataclass(frozen=True)
class Request:
    """The options of ``conformance check``.

    `model`: package.module:name or path/to/file.py:name of a factory of members, one module, or a list of modules.
    `inputs`: a description of each argument of forward (see `input_spec`), or one name of a function that makes all of
    them; `inputs_file`: a file that holds them instead. `members`: by default as many as the list or `states` hold,
    else DEFAULT_MEMBERS. `args`, `kwargs`: literals of the factory's arguments. `states`: patterns of files that hold
    the state of each member. `dtype`: by default, checks use the most precise dtype of the device, and timings use
    torch's default dtype. `timeout`: seconds after which a silent step counts as a crash. `uses`: what the model is
    wanted for (see `uses`); by default, to predict, and one way to train. `accept`: ids of known failures, or names of
    checks, that may fail. `only` and `skip`: patterns of steps. `modes`: of "train" and "eval"; by default, the mode
    that the model is in, and of a model in train mode eval as well. `strict`: whether caveats and refusals make the
    exit code 1. `speed`: whether the speed is measured. `snippet`: whether code is made that ensembles the model.
    """

    model: str
    inputs: tuple[str, ...]
    members: int | None
    batch: int
    args: str | None = None
    kwargs: str | None = None
    states: tuple[str, ...] = ()
    inputs_file: str | None = None
    device: str = "cpu"
    device_module: str | None = None
    dtype: str | None = None
    implementation: str = "torch.func"
    seed: int = 0
    timeout: float = STEP_TIMEOUT
    uses: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    strict: bool = False
    speed: bool = True
    snippet: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that these options ask."""
        chosen = choose_steps(self.only, self.skip, needed_steps(self.uses))
        timed = tuple(step for step in chosen if self.speed or step not in COSTS)
        return (*timed, SNIPPET) if self.snippet and timed else timed
