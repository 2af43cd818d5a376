"""The terminal report: one screen that ends with the verdict."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.report.known_failures import known_failure_lines
from conformance.report.rerun import rerun_command
from conformance.report.results import FAILING, RequirementResult
from conformance.report.status_counts import count_lines
from conformance.report.tables import MAX_LISTED, Tables, summarize_cells
from conformance.utils.text import WIDTH, one_line

MOST_OF_A_MESSAGE = 8 * WIDTH  # characters; the result file has the rest
REHEARSAL = "REHEARSAL on the simulated device: it tests the suite's steps for a second device, and judges no device"


def report_lines(
    facts: Mapping[str, Any],
    options: Mapping[str, Any],
    table: Sequence[RequirementResult],
    tables: Tables,
    *,
    rehearsal: bool = False,
) -> Iterator[str]:
    """Yield the environment, counts by chapter, short tables, known failures, and failures by name."""
    if rehearsal:
        yield REHEARSAL
    threads = f"{facts['threads']} thread{'s' * (facts['threads'] != 1)}"
    yield (
        f"ensemble conformance   torch {facts['torch']}   {facts['device']}, {facts['cpu_capability']}, {threads}   "
        f"profile {options['profile']}   seed {options['seed']}"
        + (f"   fault {options['fault']}" * bool(options["fault"]))
    )
    if options["device_profile"]:
        yield from _profile_lines(options["device_profile"])
    yield from count_lines(table)
    for title, cells in tables.items():
        yield from _wrap(f"{title}: ", summarize_cells(cells))
    yield from known_failure_lines(table)
    for row in table:
        if row.status in FAILING:
            yield from _failure_lines(row, options)
    lost = [case for row in table for case in row.cases if case.lost]
    yield from (f"NO ANSWER {case.test}: {case.message}" for case in lost[:MAX_LISTED])
    if len(lost) > MAX_LISTED:
        yield f"NO ANSWER from {len(lost) - MAX_LISTED} more; the result file names them"


def _profile_lines(profile: Mapping[str, Any]) -> list[str]:
    """Return what a device profile excuses the device from."""
    said = [f"no {', '.join(profile['lacking'])}"] * bool(profile["lacking"])
    said += [f"budget of {dtype} times {entry['factor']:g}" for dtype, entry in profile["budget"].items()]
    said += [f"{profile['expectations']} known failures of its own"] * bool(profile["expectations"])
    return _wrap(f"device profile {profile['name']}: ", "; ".join(said) or "excuses nothing")


def _wrap(head: str, text: str) -> list[str]:
    return textwrap.wrap(head + text, WIDTH, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _failure_lines(row: RequirementResult, options: Mapping[str, Any]) -> Iterator[str]:
    failed = [case for status in reversed(FAILING) for case in row.cases if case.status is status]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    layer = f"first layer that differs: {failed[0].layer}" if failed[0].layer else ""
    said = one_line(failed[0].message.removesuffix(f"; {layer}"), MOST_OF_A_MESSAGE)
    yield from _paragraph(f"{row.status.upper()} {row.requirement.id} ({row.implementation}): {said}{more}", "")
    yield from _paragraph(one_line(layer, MOST_OF_A_MESSAGE), " " * 7)
    yield f"       rerun: {rerun_command(failed[0], options)}"


def _paragraph(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * 7, break_on_hyphens=False)
