"""The counts of requirements by chapter and status, as lines of a terminal.

Each requirement counts once for each implementation.
"""

from collections.abc import Callable, Iterator, Sequence

from conformance.report.case_change import WRONG
from conformance.report.results import RequirementResult, Status
from conformance.spec.requirements import CHAPTERS

NAME = 14  # characters of an implementation's name, or of a chapter's with its indent


Column = tuple[str, Callable[[RequirementResult], bool]]


def _status(status: Status) -> Callable[[RequirementResult], bool]:
    return lambda row: row.status is status


# The two after "known failure" are parts of it.
COLUMNS: tuple[Column, ...] = (
    ("conforms", _status(Status.CONFORMS)),
    ("known failure", _status(Status.KNOWN_FAILURE)),
    ("(musts", lambda row: row.status is Status.KNOWN_FAILURE and row.requirement.level == "must"),
    ("silent)", lambda row: row.effect == WRONG),
    ("not applicable", _status(Status.NOT_APPLICABLE)),
    ("not run", _status(Status.NOT_RUN)),
    ("FAILS", _status(Status.FAILS)),
)
UNSTABLE: Column = ("UNSTABLE", _status(Status.UNSTABLE))


def count_lines(table: Sequence[RequirementResult]) -> Iterator[str]:
    """Yield a table for each implementation, without chapters of which nothing was run, and the number of those."""
    # Only --repeat finds a case unstable.
    columns = [*COLUMNS, *([UNSTABLE] if any(map(UNSTABLE[1], table)) else [])]
    shown: set[str] = set()
    for name in dict.fromkeys(row.implementation for row in table):
        rows = [row for row in table if row.implementation == name]
        yield f"{name:{NAME}}" + "".join(f"  {heading}" for heading, _ in columns)
        for chapter in CHAPTERS:
            of_chapter = [row for row in rows if row.requirement.chapter == chapter]
            if any(row.status is not Status.NOT_RUN or any(case.lost for case in row.cases) for row in of_chapter):
                shown.add(chapter)
                yield _line(f"  {chapter}", of_chapter, columns)
        yield _line("  all", rows, columns)
    left_out = {row.requirement.chapter for row in table} - shown
    if left_out:
        yield f"not run: {len(left_out)} of {len(CHAPTERS)} chapters"


def _line(head: str, rows: Sequence[RequirementResult], columns: Sequence[Column]) -> str:
    counts = "".join(f"  {sum(map(belongs, rows)):{len(heading)}}" for heading, belongs in columns)
    return f"{head:{NAME}}{counts}"
