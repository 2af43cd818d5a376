"""The ways in which a check is asked of a user's model, so that one cause does not hide what is right beside it.

A model with dropout that is not right in vmap's mode "same" is asked with its dropout at 0. If it still draws, and not
as the plain loop does, its results are compared by their distribution. If gradients are refused, the outputs are asked
alone; if forward is refused or fails with gradients, it is asked under torch.no_grad.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from conformance.checks.draw_checks import DISTRIBUTIONS, out_of_range
from conformance.checks.draw_checks import randomness as draws
from conformance.checks.dropout import dropout_sites, without_dropout
from conformance.checks.model_checks import CHECKS, Check
from conformance.checks.outcome import CheckResult, Outcome, run_check
from conformance.checks.own_model_checks import OWN_MODEL_CHECKS
from conformance.checks.subject import Subject
from conformance.implementations.protocol import Implementation
from conformance.model_check.loaded_model import LoadedModel, OwnDtype
from conformance.model_check.steps import DERIVATIVES, HALVES, OWN_MINIBATCH
from conformance.numerics.plain_loop import PlainLoopError

REFUSED = (Outcome.REFUSED, Outcome.REFUSED_UNCLEARLY)
DECIDED = (Outcome.RIGHT, Outcome.WRONG)
NO_DROPOUT = "with dropout 0"
SHARED = "with one minibatch for all members"
NO_GRAD = "under torch.no_grad"
OUTPUTS = "outputs alone"
DIFFERENT = "in mode 'different'"
DISTRIBUTION = f"{DIFFERENT}, by distribution"
OTHER_DRAWS = "the model draws other numbers in mode 'same' than alone, so that this can't be compared"


@dataclass(frozen=True)
class Way:
    """One way to ask: a check of a case. `form`: what is special about it; `in_own_dtype`: nothing is converted."""

    check: Check
    case: LoadedModel
    form: str = ""
    in_own_dtype: bool = False

    @property
    def is_by_distribution(self) -> bool:
        """True if the check compares distributions of results."""
        return DISTRIBUTION in self.form

    def then(self, check: Check, form: str) -> "Way":
        """Return the way with another check, and another word about it."""
        return replace(self, check=check, form=", ".join(each for each in (self.form, form) if each))


@dataclass(frozen=True)
class Behavior:
    """The plain module in one mode: whether it draws without its dropout, and whether it needs torch.no_grad."""

    draws: bool = False
    has_dropout: bool = False
    needs_no_grad: bool = False


@dataclass(frozen=True)
class Asking:
    """The checks of one model. `dtype`: see `options.Request`. `gradients`: whether checks of results compare them."""

    case: LoadedModel
    implementation: Implementation
    device: torch.device
    dtype: torch.dtype | None
    members: int
    gradients: bool = True
    _behavior: dict[bool, Behavior] = field(default_factory=dict)

    def ask(self, step: str) -> tuple[CheckResult, Way]:
        """Return the result of a check, and the way in which it was asked."""
        if step in OWN_MODEL_CHECKS:
            return self._ask_of_own(step)
        behavior = self.behavior(step)
        way = self._first_way(step, behavior)
        found = self.run(way)
        if way.check is draws:
            # Models with a single dropout are run, and may take other kernels.
            return replace(found, slow=()), way
        if behavior.has_dropout and found.status is not Outcome.RIGHT:
            found, way = self._without_dropout(step, way, found)
        for other in self._other_ways(step, way, behavior, found):
            again = self.run(other)
            if again.status in DECIDED:
                return again, other
        if behavior.draws and _may_be_due_to_draws(step, found):
            return self._by_distribution(step, way)
        return found, way

    def _ask_of_own(self, step: str) -> tuple[CheckResult, Way]:
        """Ask a check that knows by itself how to treat a model that draws."""
        way = Way(OWN_MODEL_CHECKS[step], self.case, in_own_dtype=step == "own_dtype")
        found = self.run(way)
        if found.status in REFUSED and step == "own_dtype":
            for other in (way.then(_outputs_alone(way.check), OUTPUTS), way.then(_under_no_grad(way.check), NO_GRAD)):
                again = self.run(other)
                if again.status in DECIDED:
                    return again, other
        return found, way

    def run(self, way: Way) -> CheckResult:
        """Return the result of a check that is asked in this way."""
        return run_check(way.check, _case_of(way), self.implementation, self.device, self.dtype, self.members)

    def subject(self, way: Way | None = None) -> Subject:
        """Return the members that a way asks about, or those of the model as it is."""
        case = _case_of(way) if way else self.case
        return Subject(case, self.implementation, self.device, self.dtype, self.members)

    def behavior(self, step: str) -> Behavior:
        """Return how the plain module behaves in the mode in which a step asks it."""
        mode = self._mode(step)
        if mode not in self._behavior:
            self._behavior[mode] = self._observe(mode)
        return self._behavior[mode]

    def _mode(self, step: str) -> bool:
        own = bool(self.case.made[0].training)
        return {"modes": not own, "buffers": True}.get(step, own)

    def _observe(self, mode: bool) -> Behavior:
        for no_grad in (False, True):
            with suppress(PlainLoopError), torch.set_grad_enabled(not no_grad):
                lone = self.subject().select([0]).in_mode(mode)
                if not lone.is_random or not dropout_sites(lone.models[0]):
                    return Behavior(lone.is_random, has_dropout=False, needs_no_grad=no_grad)
                lone.models = [without_dropout(lone.models[0])]
                return Behavior(lone.select([0]).is_random, has_dropout=True, needs_no_grad=no_grad)
        return Behavior()

    @cached_property
    def _is_ragged(self) -> bool:
        return self.subject().has_ragged_minibatches

    def _first_way(self, step: str, behavior: Behavior) -> Way:
        way = Way(CHECKS[step], self.case)
        if step == "randomness":
            return replace(way, check=draws) if behavior.draws or behavior.has_dropout else way
        if step != OWN_MINIBATCH and self._is_ragged:
            way = replace(way.then(way.check, SHARED), case=_with_one_minibatch(self.case))
        if step == "out_of_range" and behavior.draws:
            way = way.then(out_of_range, DIFFERENT)
        if step in HALVES and not self.gradients:
            way = way.then(_outputs_alone(way.check), OUTPUTS)
        if behavior.needs_no_grad and step not in DERIVATIVES:
            way = way.then(_under_no_grad(way.check), NO_GRAD)
        return way

    def _without_dropout(self, step: str, way: Way, found: CheckResult) -> tuple[CheckResult, Way]:
        """Ask with dropout 0, as mode "same" may draw in another order than the plain module."""
        case = way.case.altered(made=[without_dropout(each) for each in way.case.made])
        other = replace(way.then(way.check, NO_DROPOUT), case=case)
        again = self.run(other)
        if again.status is not Outcome.NOT_APPLICABLE:
            # An operation may be slow without its dropout alone, as attention is, which takes another kernel then.
            slow = found.slow if found.status is Outcome.WRONG else again.slow
            return replace(again, slow=slow), other
        return self._by_distribution(step, way) if _may_be_due_to_draws(step, found) else (found, way)

    def _other_ways(self, step: str, way: Way, behavior: Behavior, found: CheckResult) -> Iterator[Way]:
        if found.status in REFUSED and step in HALVES:
            yield way.then(_outputs_alone(way.check), OUTPUTS)
        if found.status in REFUSED and step not in DERIVATIVES and not behavior.needs_no_grad:
            yield way.then(_under_no_grad(way.check), NO_GRAD)

    def _by_distribution(self, step: str, way: Way) -> tuple[CheckResult, Way]:
        if step not in DISTRIBUTIONS:
            return CheckResult(Outcome.NOT_APPLICABLE, OTHER_DRAWS), way
        check = DISTRIBUTIONS[step]
        needs_no_grad = self.behavior(step).needs_no_grad and step not in DERIVATIVES
        other = way.then(_under_no_grad(check) if needs_no_grad else check, DISTRIBUTION)
        return self.run(other), other


def _case_of(way: Way) -> LoadedModel | OwnDtype:
    return OwnDtype(way.case) if way.in_own_dtype else way.case


def _may_be_due_to_draws(step: str, found: CheckResult) -> bool:
    return step != "out_of_range" and found.status in (*REFUSED, Outcome.WRONG)


def _with_one_minibatch(case: LoadedModel) -> LoadedModel:
    def draw(n: int, device: torch.device | str, dtype: torch.dtype) -> list[tuple[object, ...]]:
        return [case.draw(1, device, dtype)[0]] * n

    return case.altered(draw=draw)


def _outputs_alone(check: Check) -> Check:
    return lambda subject: check(subject.outputs_alone())


def _under_no_grad(check: Check) -> Check:
    def run(subject: Subject) -> None:
        with torch.no_grad():
            check(subject)

    return run
