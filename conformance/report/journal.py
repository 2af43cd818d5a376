"""The journal of a run: one JSON line for the options, for each test that starts, and for each finding.

The file lies beside the result file during a run. It is removed at the end; only a process that dies leaves it behind.
``python -m conformance.report.journal conformance-result.json.partial`` prints a summary of it.
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from conformance.report.results import Finding, Status


class Journal:
    """A writer of the journal. Each line is flushed at once, so that it survives a crash."""

    def __init__(self, result: Path, options: Mapping[str, Any]) -> None:
        self.result = result
        self.path = result.with_name(f"{result.name}.partial")
        self.options = options
        self.file: IO[str] | None = None

    def record_start(self, test: str) -> None:
        """Record that a test starts."""
        self._write({"began": test})

    def record_finding(self, test: str, finding: Finding) -> None:
        """Record the finding of a test."""
        self._write({"test": test, **asdict(finding)})

    def _write(self, line: Mapping[str, Any]) -> None:
        if self.file is None:
            # The run starts now. If it dies, the result of an earlier run must not be mistaken for its result.
            self.result.unlink(missing_ok=True)
            self.file = self.path.open("w", encoding="utf-8", buffering=1)
            self._write({"options": self.options})
        self.file.write(f"{json.dumps(line)}\n")

    def end(self) -> None:
        """Close and remove the journal, as the run has ended and writes its result file."""
        if self.file is not None:
            self.file.close()
            self.path.unlink()


def journal_lines(text: str) -> list[str]:
    """Return a summary of a journal's text: failures, the tests that were running at the end, and counts by status."""
    # A process that dies while writing leaves an incomplete line.
    events = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    found = {event["test"]: event for event in events if "test" in event}
    running = [event["began"] for event in events if "began" in event and event["began"] not in found]
    count = Counter(event["status"] for event in found.values())
    return [
        *(f"FAILS {test}: {each['message']}" for test, each in found.items() if each["status"] == Status.FAILS),
        *(f"DIED in {test}" for test in running),
        "NO VERDICT: the run did not end; " + ", ".join(f"{count[status]} {status}" for status in Status),
    ]


def main(path: str) -> None:
    """Print the summary of a journal."""
    sys.stdout.write("\n".join([*journal_lines(Path(path).read_text(encoding="utf-8")), ""]))


if __name__ == "__main__":
    main(sys.argv[1])
