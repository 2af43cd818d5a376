"""The uses of an ensemble, and whether a model's checks allow them: predict, ways to train, draws."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.model_check.steps import COSTS, STEPS

YES, SLOW, NO, NOT_APPLICABLE, NOT_ASKED = "yes", "slow", "no", "not applicable", "not asked"
POSITIVE = (YES, SLOW)
Answer = dict[str, Any]
Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Use:
    """A use by its name for --for. `check` answers it, if the checks in `also` do not fail."""

    name: str
    title: str
    check: str
    also: Sequence[str] = ()


USES = (
    Use("predict", "predict", "own_minibatch", ("second_call",)),
    Use("backward", "train by backward", "backward", ("buffers",)),
    Use("grad", "train by torch.func.grad", "grad", ("buffers",)),
    Use("per_sample", "per-sample gradients", "per_sample"),
    Use("forward_mode", "forward mode", "forward_mode"),
    Use("draws", "draws", "randomness"),
)
# One of these is enough to train.
TRAIN = ("backward", "grad")
CHOICES = (*(use.name for use in USES), "train", "all")
DEFAULT = ("predict", "train")


def needed_steps(wanted: Collection[str]) -> tuple[str, ...]:
    """Return the steps that these uses need; all of them if none is named."""
    names = {each for name in wanted for each in _expand(name)}
    unneeded = {use.check for use in USES if use.name not in names and use.name != "predict"} if names else set()
    trained = not names or not names.isdisjoint(TRAIN)
    unneeded |= set() if trained else {"buffers", COSTS[1]}
    return tuple(step for step in STEPS if step not in unneeded)


def answer_uses(results: Results) -> list[Answer]:
    """Return the answer for each use.

    Each is {"use", "title", "answer", "reason", "brief", "check"}: its name and what it is called, one of the answers,
    why in a sentence and in a few words, and the check that decides; and "known", the id of a known failure.
    """
    return [_answer(use, results) for use in USES]


def refused_uses(answers: Sequence[Answer], wanted: Sequence[str], accepted: Collection[str]) -> list[str]:
    """Return the names in `wanted` whose answer is no, each with its reason.

    `accepted` are checks that may fail. What does not apply counts as no if it is named, and not if it is wanted by
    default or by "all".
    """
    by_name = {each["use"]: each for each in answers}
    return [
        f"{name} ({reason})"
        for name in dict.fromkeys(_split_all(wanted or DEFAULT))
        if (reason := _refusal([by_name[each] for each in _expand(name)], accepted, name in wanted))
    ]


def _refusal(ways: Sequence[Answer], accepted: Collection[str], named: bool) -> str | None:
    """Return the reason why none of these ways is open, or None."""
    if any(way["answer"] in POSITIVE or way["check"] in accepted for way in ways):
        return None
    asked = [way for way in ways if way["answer"] == NO] or (list(ways) if named else [])
    return "; ".join(dict.fromkeys(way["brief"] or way["reason"] for way in asked)) or None


def _split_all(wanted: Sequence[str]) -> Iterator[str]:
    for name in wanted:
        yield from (use.name for use in USES) if name == "all" else (name,)


def _expand(name: str) -> tuple[str, ...]:
    return {"train": TRAIN, "all": tuple(use.name for use in USES)}.get(name, (name,))


def _answer(use: Use, results: Results) -> Answer:
    answer, reason, check = _judge(use.check, results)
    if use.name == "predict":
        answer, reason = _predict(results, answer, reason)
    for other in use.also:
        also, why, _ = _judge(other, results)
        if also == NO and answer in POSITIVE:
            answer, reason, check = NO, f"{other} {why}", other
    known = results.get(check, {}).get("known")
    row = {"use": use.name, "title": use.title, "answer": answer, "reason": reason, "check": check}
    row["brief"] = _brief(results.get(check, {})) if answer == NO else ""
    return row | ({"known": known} if known and answer == NO else {})


def _predict(results: Results, answer: str, reason: str) -> tuple[str, str]:
    """Return the answer with what one minibatch for all members and the other mode change about it."""
    if answer not in POSITIVE and _judge("shared_minibatch", results)[0] in POSITIVE:
        return YES, f"from one minibatch for all members; from one for each: {reason}"
    other, why, _ = _judge("modes", results)
    if answer in POSITIVE and other == NO:
        return answer, "; ".join(each for each in (reason, f"in the other mode {why}") if each)
    if answer == NO and other in POSITIVE:
        return other, f"in the other mode alone; in this one {reason}"
    return answer, reason


def _brief(result: Mapping[str, Any]) -> str:
    """Return the status of a failed check, and the known failure or the operation."""
    what = result.get("known") or result.get("operation")
    return f"{result['status']}: {what}" if what else str(result["status"])


def _judge(check: str, results: Results) -> tuple[str, str, str]:
    """Return the answer of a check, the reason, and the check."""
    result = results.get(check, {"status": NOT_ASKED, "message": ""})
    status, message = result["status"], (result["message"].strip().splitlines() or [""])[0]
    form, slow = result.get("form", ""), result.get("slow", ())
    if status == "right" and slow:
        return SLOW, ", ".join([*([form] if form else []), f"one member at a time in {', '.join(slow)}"]), check
    if status == "right":
        return YES, form, check
    if status in (NOT_APPLICABLE, NOT_ASKED):
        return status, message, check
    known = f", a known failure of this torch ({result['known']})" if result.get("known") else ""
    return NO, f"{status}{known}: {message}", check
