"""Reading of the journal of a run that died. It is untrusted data, and its last line may be incomplete."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.report.bounds import MAX_BYTES, MAX_CASES, check_count, check_size
from conformance.report.results import FAILING, Finding, Status
from conformance.spec.expectations import file_mistake
from conformance.utils.files import error_reason, read_regular
from conformance.utils.text import one_line

SUFFIX = ".partial"
MAX_LINE = 1_000_000  # bytes
MAX_LISTED = 1_000  # failures, and tests that were running
MAX_SHOWN = 500  # characters of a failure
FINDING = {"test", *Finding.__dataclass_fields__}


@dataclass
class Recovered:
    """The lines of a journal. `found`: status and start of the message by test; `skipped`: other lines."""

    began: dict[str, None] = field(default_factory=dict)
    found: dict[str, tuple[Status, str]] = field(default_factory=dict)
    options: int = 0
    skipped: int = 0

    @property
    def running(self) -> list[str]:
        """The tests that were running at the end."""
        return [test for test in self.began if test not in self.found]


def find_journal(path: Path) -> Path:
    """Return the journal beside a result file, or the path itself if there is none."""
    beside = path.parent / f"{path.name}{SUFFIX}"
    try:
        return beside if beside.exists() else path
    except OSError:  # a name that is too long
        return path


def read_journal(path: Path) -> Recovered:
    """Read a journal. Raises ValueError with one line that names the file and the problem."""
    try:
        data = read_regular(path, MAX_BYTES)
        check_size(data)
        return _read_lines(data)
    except OSError as error:
        raise file_mistake(path, error_reason(error)) from error
    except ValueError as error:
        raise file_mistake(path, str(error)) from error


def _read_lines(data: bytes) -> Recovered:
    recovered = Recovered()
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        _read_event(_parse_line(data[start:end]), recovered)
        check_count("tests", len(recovered.began) + len(recovered.found), 2 * MAX_CASES)
        start = end + 1
    if not (recovered.options or recovered.began or recovered.found):
        raise ValueError("is not the journal of a run")
    return recovered


def _parse_line(line: bytes) -> Any:
    """Return the value of a line, or None for a line that is too long or is not JSON."""
    if len(line) > MAX_LINE:
        return None
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _read_event(event: Any, recovered: Recovered) -> None:
    match event:
        case {"options": dict(), **others} if not others:
            recovered.options += 1
        case {"began": str(test), **others} if not others:
            recovered.began[_intact(test)] = None
        case {"test": str(test), "status": str(status), "message": str(said)} if _is_finding(event, status):
            recovered.found[_intact(test)] = (Status(status), _intact(said[:MAX_SHOWN]))
        case _:
            recovered.skipped += 1


def _is_finding(event: Mapping[str, Any], status: str) -> bool:
    return event.keys() <= FINDING and status in list(Status)


def _intact(text: str) -> str:
    """Return the text without halves of characters, which can't be written."""
    return text.encode("utf-8", "backslashreplace").decode()


def summary_lines(recovered: Recovered) -> Iterator[str]:
    """Yield a summary: failures, the tests that were running at the end, and counts by status."""
    failures = [(test, status, said) for test, (status, said) in recovered.found.items() if status in FAILING]
    running = recovered.running
    yield from (one_line(f"{status.upper()} {test}: {said}", MAX_SHOWN) for test, status, said in failures[:MAX_LISTED])
    yield from (one_line(f"DIED in {test}", MAX_SHOWN) for test in running[:MAX_LISTED])
    more = sum(max(0, number - MAX_LISTED) for number in (len(failures), len(running)))
    if more:
        yield f"{more} more tests that failed or were running; the journal has their names"
    if recovered.skipped:
        yield f"skipped {recovered.skipped} line{'s' * (recovered.skipped != 1)} that no run writes as a whole"
    count = Counter(status for status, _ in recovered.found.values())
    # Only --repeat finds a case unstable.
    shown = [status for status in Status if status is not Status.UNSTABLE or count[status]]
    yield "INCOMPLETE: the run did not end; " + ", ".join(f"{count[status]} {status}" for status in shown)
