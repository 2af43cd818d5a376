"""The terminal report: one screen that ends with the verdict."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.report.rerun import rerun_command
from conformance.report.results import FAILING, RequirementResult, Status, Verdict
from conformance.report.tables import MAX_LISTED, Tables, summarize_cells
from conformance.spec.requirements import CHAPTERS, Requirement
from conformance.utils.text import WIDTH, one_line


def report_lines(
    facts: Mapping[str, Any],
    options: Mapping[str, Any],
    table: Sequence[RequirementResult],
    tables: Tables,
    answer: Verdict,
) -> Iterator[str]:
    """Yield the environment, counts by chapter, known failures, short tables, failures by name, and the verdict."""
    threads = f"{facts['threads']} thread{'s' * (facts['threads'] != 1)}"
    yield (
        f"ensemble conformance   torch {facts['torch']}   {facts['device']}, {facts['cpu_capability']}, {threads}   "
        f"profile {options['profile']}   seed {options['seed']}"
        + (f"   fault {options['fault']}" * bool(options["fault"]))
    )
    if options["device_profile"]:
        yield from _profile_lines(options["device_profile"])
    for name in dict.fromkeys(row.implementation for row in table):
        yield from _count_lines(name, [row for row in table if row.implementation == name])
    yield from _known_failure_lines(table)
    for title, cells in tables.items():
        yield from _wrap(f"{title}: ", summarize_cells(cells))
    for row in table:
        if row.status in FAILING:
            yield from _failure_lines(row, options)
    lost = [case for row in table for case in row.cases if case.lost]
    yield from (f"NO ANSWER {case.test}: {case.message}" for case in lost[:MAX_LISTED])
    if len(lost) > MAX_LISTED:
        yield f"NO ANSWER from {len(lost) - MAX_LISTED} more; the result file names them"
    yield f"VERDICT: {answer.sentence}"


def _profile_lines(profile: Mapping[str, Any]) -> list[str]:
    """Return what a device profile excuses the device from."""
    said = [f"no {', '.join(profile['lacking'])}"] * bool(profile["lacking"])
    said += [f"budget of {dtype} times {entry['factor']:g}" for dtype, entry in profile["budget"].items()]
    said += [f"{profile['expectations']} known failures of its own"] * bool(profile["expectations"])
    return _wrap(f"device profile {profile['name']}: ", "; ".join(said) or "excuses nothing")


def _count_lines(name: str, table: Sequence[RequirementResult]) -> Iterator[str]:
    # Only --repeat finds a case unstable.
    columns = [each for each in Status if each is not Status.UNSTABLE or any(row.status is each for row in table)]
    yield f"{name:14}" + "".join(f"{_status_heading(status):>16}" for status in columns)
    for chapter in CHAPTERS:
        count = Counter(row.status for row in table if row.requirement.chapter == chapter)
        yield f"  {chapter:12}" + "".join(f"{count[status]:16}" for status in columns)


def _status_heading(status: Status) -> str:
    return status.upper() if status in FAILING else str(status)


def _known_failure_lines(table: Sequence[RequirementResult]) -> Iterator[str]:
    """Yield known failures by chapter, with the implementations where not all share one. The file has the reasons."""
    implementations = {row.implementation for row in table}
    found: dict[Requirement, list[str]] = {}
    for row in table:
        if row.status is Status.KNOWN_FAILURE:
            found.setdefault(row.requirement, []).append(row.implementation)
    for chapter in CHAPTERS:
        names = [
            requirement.id.partition(".")[2] + (f" [{', '.join(who)}]" if set(who) != implementations else "")
            for requirement, who in found.items()
            if requirement.chapter == chapter
        ]
        if names:
            yield from _wrap(f"known failures in {chapter}: ", ", ".join(names))


def _wrap(head: str, text: str) -> list[str]:
    return textwrap.wrap(head + text, WIDTH, subsequent_indent=" " * len(head))


def _failure_lines(row: RequirementResult, options: Mapping[str, Any]) -> Iterator[str]:
    failed = [case for status in reversed(FAILING) for case in row.cases if case.status is status]
    more = f" (and {len(failed) - 1} more cases)" if len(failed) > 1 else ""
    head = f"{row.status.upper()} {row.requirement.id} ({row.implementation}): "
    if row.status is Status.UNSTABLE:
        yield from _wrap(head, failed[0].message + more)  # in full: it names all answers
    else:
        yield one_line(f"{head}{failed[0].message}{more}")
    if failed[0].layer:
        yield f"       {one_line(f'first layer that differs: {failed[0].layer}', WIDTH - 7)}"
    yield f"       rerun: {rerun_command(failed[0], options)}"
