"""The lines that ``conformance check`` prints."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.model_check.explanation import explain_step, explained_steps
from conformance.model_check.options import Request
from conformance.model_check.result import CheckReport
from conformance.model_check.uses import NOT_ASKED
from conformance.utils.text import one_line

NAME = 18
WIDTH = 116
NARROWEST = 20  # characters of text beside the names, however narrow the terminal is
MEGA = 10**6
LONG = 200  # characters of a message; --json has all of it
VERDICT = 500  # characters of the verdict, which may name all steps
LOUD = ("wrong", "crash")


def heading_line(request: Request) -> str:
    """Return the first line, which is printed before the model is loaded."""
    return f"conformance check {request.model}: imports the model and runs its code in a child process"


def environment_line(facts: Mapping[str, Any], request: Request) -> str:
    """Return the line about the environment."""
    threads = f"{facts['threads']} thread" + "s" * (facts["threads"] != 1)
    return f"{'on':{NAME}}torch {facts['torch']}, {facts['device']}, {threads}, {request.implementation}"


def member_lines(report: CheckReport, width: int = WIDTH) -> str:
    """Return the lines about the model and its members."""
    facts, request = report.model, report.request
    problem, equal = facts["problem"], facts["equal"]
    mode = "train" if facts["training"] else "eval"
    what = f"{facts['class']}, {facts['parameters']:,} parameters, {mode} mode; {request.members} members"
    if problem:
        text = f"WRONG: {problem}"
    elif facts.get("equal_members"):
        text = f"{facts['equal_members']} (varied for the checks, to detect members in a wrong order)"
    elif not facts["tensors"]:
        text = "no parameters and no buffers, so that members can't differ"
    elif equal:
        text = f"differ, except in {_join_names(equal)} (varied for the checks, to detect members in a wrong order)"
    else:
        text = "differ in every tensor"
    if facts["shared"]:
        text += f"; they share {_join_names(facts['shared'])}"
    if facts["origin"]:
        text += f"; {facts['origin']}"
    checked = f"checked in {' and in '.join(facts['dtypes'])}"
    lines = [_line("model", f"{what}; {checked}", width), _line("members", text, width)]
    if facts["draws"]:
        drawn = f"from {' and '.join(facts['draws'])}: vmap draws once for all members, unlike a loop"
        lines.append(_line("random numbers", f"{drawn}; the checks seed each call, so that they do not see it", width))
    return "\n".join(lines)


def answer_text(result: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]], width: int = WIDTH) -> str:
    """Return the text after the name of a step; `before` are the results that were shown already."""
    if "rows" in result:
        return _speed_text(result, width)
    status = result["status"].upper() if result["status"] in LOUD else result["status"]
    first = first_message_line(result)
    alike = next((other for other, shown in before.items() if is_alike(result, shown)), None)
    if alike:
        return f"{status} as {alike}"
    status += f" ({result['form']})" if result.get("form") else ""
    status += f", known failure {result['known']}" if result.get("known") else ""
    same = f'mode "same" {one_line(result["same"], LONG)}' if result.get("same") else ""
    said = "; ".join(each for each in (first, same) if each)
    text = f"{status}: {said}" if said else status
    places = [f"{label} {one_line(result[key], LONG)}" for key, label in PLACES if result.get(key)]
    return "\n".join([_wrap(text, width), *(f"{'':{NAME}}  {place}" for place in places)])


def first_message_line(result: Mapping[str, Any]) -> str:
    """Return the first line of a message, shortened."""
    lines = (result.get("message") or "").strip().splitlines()[:1]
    return "".join(textwrap.shorten(one_line(line, LONG), LONG) for line in lines)


def is_alike(result: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return True if two failures have one cause: the same message, or for refusals the same place."""
    if result["status"] != other["status"] or not result.get("message"):
        return False
    if result["message"] == other.get("message"):
        return True
    places = [[each.get(key) for key, _ in PLACES] for each in (result, other)]
    return result["status"].startswith("refused") and places[0] == places[1] and bool(result.get("source"))


PLACES = (("operation", "operation:"), ("module", "module:   "), ("source", "line:     "))


def ending_lines(report: CheckReport, width: int = WIDTH) -> Iterator[str]:
    """Yield the answers by use, slow operations, caveats, suggested fixes, and the verdict as the last line."""
    uses = () if report.plain_failure else report.uses
    for use in (each for each in uses if each["answer"] != NOT_ASKED):
        reason = f": {one_line(use['reason'], LONG)}" if use["reason"] else ""
        yield _line("use", f"{use['title']}: {use['answer']}{reason}", width)
    if report.slow:
        yield _line("slow fallback", f"one member at a time: {', '.join(report.slow)}", width)
    for caveat in report.caveats:
        yield _line("caveat", caveat_text(caveat), width)
    for row in report.remedies:
        yield _line("suggested fix", f"({_join_names(row['checks'])}) {row['advice']}", width)
    yield one_line(f"VERDICT: {report.verdict[1]}", VERDICT)


def caveat_text(caveat: Mapping[str, Any]) -> str:
    """Return a caveat on one line: the id of the known failure, or the checks, and what it is."""
    return f"{caveat['id'] or ', '.join(caveat['checks'])}: {one_line(caveat['text'], LONG)}"


def snippet_lines(snippet: Mapping[str, Any]) -> list[str]:
    """Return the code, or a comment that says why there is none."""
    code = snippet.get("code")
    return code.splitlines() if code else [f"# no code: {one_line(snippet['message'], VERDICT)}"]


def meaning_line(step: str, width: int = WIDTH) -> str:
    """Return what a step means, for the line below it; an empty string if nothing is known of it."""
    text = explain_step(step)
    return f"{'':{NAME}}  {_wrap(text, width - 2)}" if text else ""


def explanation_lines() -> Iterator[str]:
    """Yield what each step means."""
    yield from (line for name, text in explained_steps().items() for line in _line(name, text, WIDTH).split("\n"))


def _speed_text(result: Mapping[str, Any], width: int) -> str:
    asked = result["asked"]
    peak = {name: _format_bytes(size) for name, size in result["peak"].items()}
    return _wrap(
        f"{speed_sentence(asked)} ({_format_seconds(asked['vmap'])} against {_format_seconds(asked['loop'])}); "
        f"{speed_by_members(result)}; peak memory {peak['vmap']} against {peak['loop']}",
        width,
    )


def speed_sentence(row: Mapping[str, Any]) -> str:
    """Return how fast vmap is with the requested number of members, as surely as the interval tells."""
    members = f"the loop with {row['members']} member" + "s" * (row["members"] != 1)
    low, high, ratio = row["low"], row["high"], row["ratio"]
    if row["speed"] == "faster":
        return f"vmap is {ratio:.2g} times as fast as {members}, {low:.3g} to {high:.3g}"
    if row["speed"] == "slower":
        return f"vmap is {1 / ratio:.2g} times as slow as {members}, {1 / high:.3g} to {1 / low:.3g}"
    if row["speed"] == "as fast":
        return f"vmap is as fast as {members}, {low:.2f} to {high:.2f} times"
    rounds = f" in {row['rounds']} round" + "s" * (row["rounds"] != 1)
    return f"too noisy to tell: vmap is between {low:.2g} and {high:.2g} times as fast as {members}{rounds}"


def speed_by_members(result: Mapping[str, Any]) -> str:
    """Return for which measured numbers of members vmap is faster, and from which on."""
    kinds = {"slower": "slower", "as fast": "as fast", "too noisy": "not certain", "faster": "faster"}
    by_kind = {kind: [row["members"] for row in result["rows"] if row["speed"] == kind] for kind in kinds}
    said = [f"{kinds[kind]} with {', '.join(map(str, found))}" for kind, found in by_kind.items() if found]
    crossing = result["crossing"]
    return "; ".join([*said, *([f"faster from {crossing} members on"] if crossing else [])])


def _format_bytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB" if size >= MEGA else f"{size / 1e3:.3g} kB"


def _format_seconds(timing: Mapping[str, float]) -> str:
    return f"{timing['median'] * 1e3:.3g} ms"


def _join_names(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _line(name: str, text: str, width: int) -> str:
    return f"{name:{NAME - 1}} {_wrap(text, width)}"


def _wrap(text: str, width: int) -> str:
    first, others = " " * NAME, " " * (NAME + 2)
    filled = textwrap.fill(
        text, max(width, NAME + NARROWEST), initial_indent=first, subsequent_indent=others, break_long_words=False
    )
    return filled.removeprefix(first)
