"""The lines that ``conformance check`` prints."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.model_check.options import Request
from conformance.model_check.result import CheckReport

NAME = 18
WIDTH = 116
MEGA = 10**6
LONG = 200  # characters of a message; --json has all of it
LOUD = ("wrong", "crash")


def heading_line(request: Request) -> str:
    """Return the first line, which is printed before the model is loaded."""
    return f"conformance check {request.model}: imports the model and runs its code in a child process"


def environment_line(facts: Mapping[str, Any], request: Request) -> str:
    """Return the line about the environment."""
    threads = f"{facts['threads']} thread" + "s" * (facts["threads"] != 1)
    return f"{'on':{NAME}}torch {facts['torch']}, {facts['device']}, {threads}, {request.implementation}"


def member_lines(document: CheckReport) -> str:
    """Return the lines about the model and its members."""
    facts, request = document.model, document.request
    problem, equal = facts["problem"], facts["equal"]
    mode = "train" if facts["training"] else "eval"
    what = f"{facts['class']}, {facts['parameters']:,} parameters, {mode} mode; {request.members} members"
    if problem:
        said = f"WRONG: {problem}"
    elif not facts["tensors"]:
        said = "no parameters and no buffers, so that members can't differ"
    elif equal:
        said = f"differ, except in {_join_names(equal)} (varied for the checks, to detect members in a wrong order)"
    else:
        said = "differ in every tensor"
    return f"{'model':{NAME}}{what}\n{_line('members', said)}"


def answer_text(told: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text after the name of a step; `before` are the results that were shown already."""
    if "rows" in told:
        return _speed_text(told)
    status = told["status"].upper() if told["status"] in LOUD else told["status"]
    places = [f"{label} {told[key]}" for key, label in PLACES if told.get(key)]
    first = [textwrap.shorten(line, LONG) for line in told["message"].strip().splitlines()[:1]]
    alike = [name for name, other in before.items() if other == told] if first else []
    if alike:
        return f"{status} as {alike[0]}"
    said = f"{status}: {first[0]}" if first else status
    return "\n".join([_wrap(said), *(f"{'':{NAME}}  {place}" for place in places)])


PLACES = (("operation", "operation:"), ("module", "module:   "), ("source", "line:     "))


def ending_lines(document: CheckReport) -> Iterator[str]:
    """Yield slow operations, suggested fixes and the verdict."""
    if document.slow:
        yield _line("slow fallback", f"one member at a time: {', '.join(document.slow)}")
    for row in document.remedies:
        yield _line("suggested fix", f"({_join_names(row['checks'])}) {row['advice']}")
    yield f"VERDICT: {document.verdict[1]}"


def _speed_text(told: Mapping[str, Any]) -> str:
    rows, asked, crossing = told["rows"], told["asked"], told["crossing"]
    ratio = asked["ratio"]
    how = f"{ratio:.2g} times as fast as" if ratio > 1 else f"{1 / ratio:.2g} times as slow as"
    turn = f"faster from {crossing} members on" if crossing else "never faster"
    measured = f"measured with {_join_names([str(row['members']) for row in rows], len(rows))}"
    peak = {name: _format_bytes(size) for name, size in told["peak"].items()}
    return _wrap(
        f"vmap is {how} the loop with {asked['members']} members ({_format_timing(asked['vmap'])} against "
        f"{_format_timing(asked['loop'])}); {turn}, {measured}; peak memory {peak['vmap']} against {peak['loop']}"
    )


def _format_bytes(size: int) -> str:
    return f"{size / 1e6:.3g} MB" if size >= MEGA else f"{size / 1e3:.3g} kB"


def _format_timing(timing: Mapping[str, float]) -> str:
    spread = (timing["high"] - timing["low"]) / timing["median"]
    return f"{timing['median'] * 1e3:.3g} ms, spread {spread:.0%}"


def _join_names(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _line(name: str, said: str) -> str:
    return f"{name:{NAME}}{_wrap(said)}"


def _wrap(said: str) -> str:
    return textwrap.fill(said, WIDTH - NAME, subsequent_indent=" " * (NAME + 2), break_long_words=False)
