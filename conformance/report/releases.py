"""Recorded results of PyTorch releases, and tables of several results side by side."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from packaging.version import Version

from conformance.report.bounds import check_together
from conformance.report.markdown import code_cell, table_row, table_rule
from conformance.report.reader import Key, Result, read_result
from conformance.report.results import Status
from conformance.spec.expectations import file_mistake
from conformance.spec.locations import FIXTURES
from conformance.utils.files import error_reason
from conformance.utils.suggestions import did_you_mean
from conformance.utils.text import one_line

RELEASES = FIXTURES / "releases"
RECORDED = "recorded"  # the name of all recorded releases
SUFFIXES = (".json", ".json.gz")
# The cell of a table for each status; {} is the number of cases with that status.
ABSENT = ""
NOT_APPLICABLE = "n/a"
STATUS_TEXTS = {
    Status.CONFORMS: "ok",
    Status.KNOWN_FAILURE: "known {}",
    Status.FAILS: "FAILS {}",
    Status.UNSTABLE: "UNSTABLE {}",
    Status.NOT_APPLICABLE: NOT_APPLICABLE,
    Status.NOT_RUN: "not run",
}
MAX_LABEL = 80  # characters; names are untrusted, and each row of a table is as wide as they are
LEGEND = "ok: conforms; known 3: known failure, in 3 cases; n/a: not applicable; empty: the file lacks the requirement"


def recorded_release_paths() -> dict[Version, Path]:
    """Return the result files of the recorded releases, oldest first."""
    found = {Version(path.name.removesuffix(".json.gz")): path for path in RELEASES.glob("*.json.gz")}
    return dict(sorted(found.items()))


def newest_release_up_to(release: Version) -> Path | None:
    """Return the result file of the newest recorded release that is not newer than `release`, or None."""
    return next((path for version, path in reversed(recorded_release_paths().items()) if version <= release), None)


def find_results(name: str) -> list[Path]:
    """Return the result files that an argument names: a file, all of a folder, or recorded releases (2.8, recorded).

    Raises ValueError with one line if there are none.
    """
    if name == RECORDED:
        return list(recorded_release_paths().values())
    path = Path(name)
    try:
        if path.is_dir():
            found = [each for each in path.iterdir() if each.name.endswith(SUFFIXES)]
            if not found:
                raise file_mistake(path, "this folder contains no result file")
            return found
        if path.exists() or name.endswith(SUFFIXES):
            return [path]
    except OSError as error:
        raise file_mistake(path, error_reason(error)) from error
    known = [str(version) for version in recorded_release_paths()]
    near = did_you_mean(name, [*known, RECORDED])
    try:
        digits = Version(name).release
    except ValueError:  # not a version, or one with more digits than Python reads
        raise file_mistake(path, f"no such file or recorded release{near}") from None
    releases = [each for version, each in recorded_release_paths().items() if version.release[: len(digits)] == digits]
    if not releases:
        raise file_mistake(path, f"no such file or recorded release (choose from {', '.join(known)}){near}")
    return releases[-1:]


def read_results(names: Sequence[str]) -> list[Result]:
    """Read the results that the arguments name; those of a folder in the order of their releases. Raises ValueError."""
    found: list[Result] = []
    for name in names:
        some: list[Result] = []
        for path in find_results(name):
            some.append(read_result(path))
            check_together([sum(len(row["cases"]) for row in each.rows.values()) for each in (*found, *some)])
        found += sorted(some, key=lambda each: (each.release, each.name))
    return found


def release_labels(results: Sequence[Result]) -> list[str]:
    """Return a short label for each result: its release, with device and file name where needed to tell them apart."""
    names = [str(result.release) for result in results]
    devices = [result.content["environment"]["device"] for result in results]
    for facts in (devices, [result.name for result in results]):
        told = list(zip(names, facts, strict=True))
        apart = {name: len({fact for other, fact in told if other == name}) > 1 for name in names}
        names = [f"{name} {fact}" if apart[name] else name for name, fact in told]
    return [one_line(name, MAX_LABEL) for name in names]


def status_text(result: Result, key: Key) -> str:
    """Return a result's table cell for a requirement and an implementation."""
    row = result.rows.get(key)
    if row is None:
        return ABSENT
    return STATUS_TEXTS[row["status"]].format(sum(case["status"] == row["status"] for case in row["cases"]))


def changed_requirements(results: Sequence[Result]) -> dict[str, list[str]]:
    """Return the cells of each requirement whose status changed after it first applied.

    Implementations with the same cells share a row. Requirements that only newer results have, and that never changed
    since, are left to `added_requirements`.
    """
    keys = {key: None for result in results for key in result.rows}
    rows = {key: [status_text(result, key) for result in results] for key in keys}
    changed = {key: row for key, row in rows.items() if len(set(_skip_unasked(row))) > 1}
    implementations: dict[str, set[str]] = {}
    for requirement, name in keys:
        implementations.setdefault(requirement, set()).add(name)
    merged: dict[str, list[str]] = {}
    for (requirement, name), row in changed.items():
        alike = {other for other in implementations[requirement] if changed.get((requirement, other)) == row}
        merged[requirement if alike == implementations[requirement] else f"{requirement} [{name}]"] = row
    return merged


def added_requirements(results: Sequence[Result]) -> Iterator[str]:
    """Yield, by chapter, the number of requirements that apply only since a later result."""
    names = release_labels(results)
    count: dict[tuple[str, str], set[str]] = {}
    for key in {key: None for result in results for key in result.rows}:
        row = [status_text(result, key) for result in results]
        first = len(row) - len(_skip_unasked(row))
        if 0 < first < len(row):
            count.setdefault((key[0].partition(".")[0], names[first]), set()).add(key[0])
    for (chapter, name), requirements in count.items():
        yield f"{chapter}: {len(requirements)} apply since {name}"


def _skip_unasked(row: Sequence[str]) -> list[str]:
    """Return the cells from the first result on to which the requirement applies."""
    unasked = next((i for i, each in enumerate(row) if each not in (ABSENT, NOT_APPLICABLE)), len(row))
    return list(row[unasked:])


def consecutive_pairs(results: Sequence[Result]) -> list[tuple[Result, Result]]:
    """Return each result with the next one."""
    return list(pairwise(results))


def changes_as_markdown(names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the table as Markdown."""
    yield table_row(["requirement", *names])
    yield table_rule(1 + len(names))
    for requirement, row in rows.items():
        yield f"| {code_cell(requirement)} {table_row(row)}"


def changes_as_text(names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the table as aligned text."""
    columns = list(zip(names, *rows.values(), strict=True))
    widths = [max(map(len, column)) for column in columns]
    first = max(map(len, rows), default=0)
    for head, row in {"": names, **rows}.items():
        cells = [head.ljust(first), *(each.ljust(width) for each, width in zip(row, widths, strict=True))]
        yield "  ".join(cells).rstrip()
