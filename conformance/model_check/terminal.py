"""The lines that ``conformance check`` prints."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.model_check.options import Request
from conformance.model_check.result import CheckReport
from conformance.model_check.uses import NOT_ASKED
from conformance.utils.text import one_line

NAME = 18
WIDTH = 116
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


def member_lines(report: CheckReport) -> str:
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
    lines = [_line("model", f"{what}; {checked}"), _line("members", text)]
    if facts["draws"]:
        drawn = f"from {' and '.join(facts['draws'])}: vmap draws once for all members, unlike a loop"
        lines.append(_line("random numbers", f"{drawn}; the checks seed each call, so that they do not see it"))
    return "\n".join(lines)


def answer_text(result: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text after the name of a step; `before` are the results that were shown already."""
    if "rows" in result:
        return _speed_text(result)
    status = result["status"].upper() if result["status"] in LOUD else result["status"]
    places = [f"{label} {one_line(result[key], LONG)}" for key, label in PLACES if result.get(key)]
    first = [textwrap.shorten(one_line(line, LONG), LONG) for line in result["message"].strip().splitlines()[:1]]
    alike = [name for name, other in before.items() if other == result] if first else []
    if alike:
        return f"{status} as {alike[0]}"
    status += f" ({result['form']})" if result.get("form") else ""
    status += f", known failure {result['known']}" if result.get("known") else ""
    first += [f'mode "same" {one_line(result["same"], LONG)}'] if result.get("same") else []
    text = f"{status}: {'; '.join(first)}" if first else status
    return "\n".join([_wrap(text), *(f"{'':{NAME}}  {place}" for place in places)])


PLACES = (("operation", "operation:"), ("module", "module:   "), ("source", "line:     "))


def ending_lines(report: CheckReport) -> Iterator[str]:
    """Yield slow operations, suggested fixes and the verdict."""
    if report.slow:
        yield _line("slow fallback", f"one member at a time: {', '.join(report.slow)}")
    for row in report.caveats:
        yield _line("caveat", f"{row['id'] or ', '.join(row['checks'])}: {one_line(row['text'], LONG)}")
    for each in [use for use in report.uses if use["answer"] != NOT_ASKED]:
        reason = f" ({one_line(each['reason'], LONG)})" if each["reason"] else ""
        yield _line("use", f"{each['title']}: {each['answer']}{reason}")
    for row in report.remedies:
        yield _line("suggested fix", f"({_join_names(row['checks'])}) {row['advice']}")
    yield one_line(f"VERDICT: {report.verdict[1]}", VERDICT)


def _speed_text(result: Mapping[str, Any]) -> str:
    rows, requested, crossing = result["rows"], result["asked"], result["crossing"]
    ratio = requested["ratio"]
    how = f"{ratio:.2g} times as fast as" if ratio > 1 else f"{1 / ratio:.2g} times as slow as"
    turn = f"faster from {crossing} members on" if crossing else "never faster"
    measured = f"measured with {_join_names([str(row['members']) for row in rows], len(rows))}"
    peak = {name: _format_bytes(size) for name, size in result["peak"].items()}
    return _wrap(
        f"vmap is {how} the loop with {requested['members']} members ({_format_timing(requested['vmap'])} against "
        f"{_format_timing(requested['loop'])}); {turn}, {measured}; peak memory {peak['vmap']} against {peak['loop']}"
    )


def _format_bytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB" if size >= MEGA else f"{size / 1e3:.3g} kB"


def _format_timing(timing: Mapping[str, float]) -> str:
    spread = (timing["high"] - timing["low"]) / timing["median"]
    return f"{timing['median'] * 1e3:.3g} ms, spread {spread:.0%}"


def _join_names(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _line(name: str, text: str) -> str:
    return f"{name:{NAME}}{_wrap(text)}"


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH - NAME, subsequent_indent=" " * (NAME + 2), break_long_words=False)
