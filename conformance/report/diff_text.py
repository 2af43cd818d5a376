"""The difference between two results as text."""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from conformance.report.case_change import Change
from conformance.report.diff import Difference, Transition
from conformance.report.diff_sections import SILENT, diff_sections, drift_sections
from conformance.report.drift import BudgetDrift, TableDrift
from conformance.report.reader import Result
from conformance.spec.identity import suite_text
from conformance.utils.text import WIDTH, escape_unprintable, one_line


def diff_lines(difference: Difference) -> Iterator[str]:
    """Yield the two results, how their runs differ, the changes by kind, drift, and a summary line."""
    yield one_line(heading(difference))
    yield from map(one_line, [*changed_conditions(difference.old, difference.new), *left_out_lines(difference)])
    for title, found, _ in [*diff_sections(difference.transitions), *drift_sections(difference.drift)]:
        yield f"{title}:"
        for line in found:
            yield from _indent(line)
    yield diff_summary(difference)


def heading(difference: Difference) -> str:
    """Return a line that names both sides once: release, device where it differs, and file if it is no recorded one."""
    old, new = difference.old, difference.new
    devices = [each.content["environment"]["device"] for each in (old, new)]
    sides = [
        f"{each.release}" + (f" {device}" if devices[0] != devices[1] else "") + _file_name(each)
        for each, device in zip((old, new), devices, strict=True)
    ]
    return f"what changed from torch {' to '.join(sides)}"


def _file_name(result: Result) -> str:
    return "" if result.name.startswith(f"{result.release}.json") else f" ({result.name})"


def diff_summary(difference: Difference) -> str:
    """Return one line with the number of requirements that changed, by kind of change."""
    moved: dict[tuple[bool, Change], set[str]] = {}
    for each in difference.transitions:
        if not each.silent:
            moved.setdefault((each.known, each.change), set()).add(each.requirement)
    silent = len({each.requirement for each in difference.transitions if each.silent})
    count = {key: len(requirements) for key, requirements in moved.items()}
    others, known = (
        ", ".join(f"{count[known, change]} {change}" for change in Change if (known, change) in count)
        for known in (False, True)
    )
    parts = [_count(silent, SILENT)] * bool(silent)
    parts += [others] * bool(others)
    if known:
        parts = [*(parts or ["nothing but known failures"]), f"known failures: {known}"]
    return f"CHANGED: {'; '.join(parts or ['nothing'])}{_drift_summary(difference)}"


def _drift_summary(difference: Difference) -> str:
    shares = {each.requirement for each in difference.drift if isinstance(each, BudgetDrift)}
    tables = [each for each in difference.drift if isinstance(each, TableDrift)]
    cells = sum(len(each.cells) for each in tables)
    parts = [f"{_count(len(shares), 'requirements')} with a larger share of the error budget"] * bool(shares)
    parts += [f"{_count(cells, 'cells')} of tables"] * bool(cells)
    return f"; drift: {', '.join(parts)}" if parts else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what if number != 1 else what.removesuffix('s')}"


def left_out_lines(difference: Difference) -> Iterator[str]:
    """Yield a line with the number of requirements and cases that only one of two suites asks, if there are any."""
    left = left_out_count(difference.left_out)
    if any(left.values()):
        count = " and ".join(_count(number, what) for what, number in left.items() if number)
        yield f"left out, as only one of the suites asks: {count}"


def left_out_count(transitions: Sequence[Transition]) -> dict[str, int]:
    """Return the number of whole requirements and of cases of other requirements."""
    return {
        "requirements": len({each.requirement for each in transitions if not each.tests}),
        "cases": sum(len(each.tests) for each in transitions),
    }


CONDITIONS: dict[str, Callable[[Result], object]] = {
    "device": lambda each: each.content["environment"]["device"],
    "accelerators": lambda each: ", ".join(each.content["environment"].get("accelerators", [])),
    "cpu": lambda each: each.content["environment"]["cpu_capability"],
    "threads": lambda each: each.content["environment"]["threads"],
    "python": lambda each: each.content["environment"]["python"],
    "profile": lambda each: each.content["options"]["profile"],
    "seed": lambda each: each.content["options"]["seed"],
    "fault": lambda each: each.content["options"]["fault"] or "none",
    "implementations": lambda each: ", ".join(each.content["options"]["implementations"]),
}


def changed_conditions(old: Result, new: Result) -> Iterator[str]:
    """Yield how suites and settings other than torch differ between two runs; that may explain the changes."""
    yield from _suite_lines(old, new)
    for name, ask in CONDITIONS.items():
        was, now = ask(old), ask(new)
        if was != now:
            yield f"also differs: {name} {was} -> {now}"
    yield from _variable_lines(old, new)


def _suite_lines(old: Result, new: Result) -> Iterator[str]:
    before, after = (each.content.get("suite") for each in (old, new))
    if before == after:
        return
    may = " may" * (before is None or after is None)
    yield f"the suites{may} differ: {suite_text(before)} -> {suite_text(after)}"
    if before and after and before["expectations"] != after["expectations"]:
        yield f"their known failures differ: {before['expectations'][:12]} -> {after['expectations'][:12]}"


def _variable_lines(old: Result, new: Result) -> Iterator[str]:
    before, after = (each.content["environment"].get("variables") for each in (old, new))
    if before is None or after is None:  # a file before schema 4
        return
    for name in sorted({**before, **after}):
        was, now = (each.get(name, "(unset)") for each in (before, after))
        if was != now:
            yield f"also differs: {name} {was} -> {now}"


def _indent(line: str) -> list[str]:
    text = escape_unprintable(line.rstrip())
    if text.lstrip().startswith("rerun: "):
        return [f"  {text}"]  # a command to copy: never wrapped
    return textwrap.wrap(
        text, WIDTH, initial_indent="  ", subsequent_indent="      ", max_lines=3, placeholder=" ..."
    ) or [""]
